//! Reading the bodies of calls, with bounds on their size, their time and their sum.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body;
use tokio::sync::Semaphore;

/// Larger bodies of calls other than S3's are refused; the largest AWS takes are those of PutLogEvents.
const BODY_MAX: usize = 8 << 20;
/// A client has so long to send the body of a call.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// Bodies up to this size wait for nobody.
const SMALL: usize = 64 << 10;
/// All other bodies that are being read may have so many bytes together.
const SUM_MAX: usize = 64 << 20;

/// Bytes that the bodies of calls may still have, [`SUM_MAX`] of them when there is none.
pub(crate) struct BodyBudget(Semaphore);

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is larger than any call's.
    #[error("The request body is larger than {BODY_MAX} bytes.")]
    TooLarge,
    /// It did not come.
    #[error("The request body was not received in time.")]
    TooSlow,
    /// The connection ended within it, or it is not well-formed.
    #[error("The request body is not complete.")]
    Incomplete,
}

impl Unreadable {
    /// The HTTP status and code of the answer.
    pub(crate) fn code(self) -> (u16, &'static str) {
        match self {
            Self::TooLarge => (413, "RequestEntityTooLarge"),
            Self::TooSlow => (408, "RequestTimeout"),
            Self::Incomplete => (400, "IncompleteBody"),
        }
    }
}

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Semaphore::new(SUM_MAX))
    }
}

impl BodyBudget {
    /// Reads a body as a whole.
    ///
    /// # Errors
    ///
    /// When it is too large, or does not come.
    pub(crate) async fn read<B>(&self, body: B) -> Result<Bytes, Unreadable>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let sizes = body.size_hint();
        if sizes.lower() > BODY_MAX as u64 {
            return Err(Unreadable::TooLarge);
        }
        let size = sizes
            .upper()
            .and_then(|size| usize::try_from(size).ok())
            .map_or(BODY_MAX, |size| size.min(BODY_MAX));
        let read = async {
            let _share = match u32::try_from(size) {
                Ok(share) if size > SMALL => Some(self.0.acquire_many(share).await),
                _ => None,
            };
            Limited::new(body, BODY_MAX).collect().await
        };
        match tokio::time::timeout(BODY_TIMEOUT, read).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Unreadable::TooLarge),
            Ok(Err(_)) => Err(Unreadable::Incomplete),
            Err(_) => Err(Unreadable::TooSlow),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;
    use hyper::body::Frame;

    use super::*;

    /// A body of which nobody knows the size.
    struct Chunks(Vec<Result<Bytes, std::io::Error>>);

    impl Body for Chunks {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
            std::task::Poll::Ready(self.0.pop().map(|chunk| chunk.map(Frame::data)))
        }
    }

    #[tokio::test]
    async fn bodies_have_bounds() {
        let budget = BodyBudget::default();
        let small = Bytes::from_static(b"Action=DescribeVpcs");
        assert_eq!(budget.read(Full::new(small.clone())).await, Ok(small));
        let large = Bytes::from(vec![0; BODY_MAX + 1]);
        assert_eq!(
            budget.read(Full::new(large)).await,
            Err(Unreadable::TooLarge)
        );
        let chunk = || Ok(Bytes::from(vec![0; BODY_MAX / 2]));
        assert_eq!(
            budget
                .read(Chunks(vec![chunk(), chunk()]))
                .await
                .map(|b| b.len()),
            Ok(BODY_MAX)
        );
        assert_eq!(
            budget.read(Chunks(vec![chunk(), chunk(), chunk()])).await,
            Err(Unreadable::TooLarge)
        );
        let broken = Err(std::io::Error::other("reset"));
        assert_eq!(
            budget.read(Chunks(vec![broken])).await,
            Err(Unreadable::Incomplete)
        );
        assert_eq!(budget.0.available_permits(), SUM_MAX);
    }
}
