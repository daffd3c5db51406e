//! Requests of the embedded S3.

use http::request::Parts;
use http::{Request, Response};
use policy::Origin;
use services::s3::Witness;

use crate::connections::Arriving;
use crate::daemon::Daemon;
use crate::patience::Patience;
use crate::{auth, trails};

impl Daemon {
    /// Answers an S3 request.
    pub(crate) async fn s3(&self, mut request: Request<Arriving>) -> Response<s3s::Body> {
        auth::adopt(&mut request, &self.keyring);
        let witness = Witness::default();
        request.extensions_mut().insert(witness.clone());
        let (parts, body) = request.into_parts();
        let seen = may_be_an_event(&parts).then(|| parts.clone());
        let body = s3s::Body::http_body_unsync(Patience::with(body));
        let request = Request::from_parts(parts, body);
        let mut response = self.s3_endpoint.call(request).await;
        if let (Some(asked), Some(seen)) = (witness.asked(), seen) {
            let denied = witness.was_denied_by_endpoint();
            trails::note_s3(self, asked, denied, &seen, &mut response).await;
        }
        response
    }
}

/// Whether CloudTrail may want to know of a request: of each that comes through an endpoint, and else of those that are
/// not about an object. A path of two names is one, whether the bucket is in the path or in the name of the host.
fn may_be_an_event(parts: &Parts) -> bool {
    let path = parts.uri.path().trim_start_matches('/');
    let is_object = path.split_once('/').is_some_and(|(_, key)| !key.is_empty());
    let origin = parts.extensions.get::<Origin>();
    !is_object || origin.is_some_and(|origin| origin.endpoint.is_some())
}
