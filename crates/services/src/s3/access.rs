//! Who may do what: the policies of the way here, of the bucket and of the caller's account, put together.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use http::HeaderMap;
use policy::{Caller, Context, Document, Identity, Kind, Origin, Permissions, Policies, Source};
use s3s::access::{S3Access, S3AccessContext};
use s3s::dto::{
    CreateBucketInput, PostObjectInput, PublicAccessBlockConfiguration, PutObjectTaggingInput,
};
use s3s::path::S3Path;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Result, s3_error};

use super::action::{actions_of, is_about_policy, is_not_allowed, query_value, waits_for_body};
use super::bucket::{BucketInfo, Setting};
use super::service::Keys;
use super::setting::canonical_id;
use super::{S3, facts, transfer};

/// Is told what a request asks for and whether the way here was closed to it, if it is among its extensions.
#[derive(Debug, Clone, Default)]
pub struct Witness(Arc<Seen>);

#[derive(Debug, Default)]
struct Seen {
    asked: OnceLock<Asked>,
    denied_by_endpoint: AtomicBool,
}

impl Witness {
    /// What the request asks for, once it was believed.
    pub fn asked(&self) -> Option<&Asked> {
        self.0.asked.get()
    }

    /// Whether the policy of the endpoint that it came through has refused it.
    pub fn was_denied_by_endpoint(&self) -> bool {
        self.0.denied_by_endpoint.load(Ordering::Relaxed)
    }
}

/// What a believed request asks for.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The operation, such as `CreateBucket`.
    pub operation: String,
    /// The bucket that it is about.
    pub bucket: Option<String>,
    /// Whether it is about an object.
    pub of_object: bool,
    /// Who asks.
    pub identity: Identity,
    /// The key that signed.
    pub access_key_id: String,
    /// When the session began, if it is one, in seconds since 1970.
    pub issued_s: Option<i64>,
}

/// Asks, for every operation, whether its caller may.
pub(super) struct Access {
    pub(super) keys: Keys,
    pub(super) s3: S3,
}

/// A caller, with all that policies may know of its request. Handlers find it among the extensions of the request.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    s3: S3,
    caller: Caller,
    origin: Origin,
    context: Context,
    witness: Option<Witness>,
    /// When the caller's session began, if it is one.
    issued_s: Option<i64>,
    /// What the caller's own policies let it do; `None` is everything.
    permissions: Option<Arc<Permissions>>,
}

/// What stands before an action on a bucket: the bucket's policy, read once.
pub(crate) struct Gate<'a> {
    asker: &'a Asker,
    bucket: &'a str,
    document: Option<Document>,
    owner: String,
    context: Context,
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let asker = self.asker(context)?;
        let operation = context.s3_op().name();
        if is_not_allowed(operation, context.uri()) {
            return Err(method_not_allowed());
        }
        bear_witness(context, &asker);
        let expected = header(context.headers(), "x-amz-expected-bucket-owner");
        if let Some(bucket) = context.s3_path().get_bucket_name()
            && operation != "CreateBucket"
        {
            self.s3.check_owner(bucket, expected)?;
        }
        if !waits_for_body(operation) {
            let tagging = header(context.headers(), "x-amz-tagging");
            for action in actions_of(operation, context.uri(), tagging.is_some()) {
                match context.s3_path() {
                    S3Path::Root => asker.may_list_buckets(&action)?,
                    S3Path::Bucket { bucket } => asker.may(&action, bucket, None)?,
                    S3Path::Object { bucket, key } => asker.may(&action, bucket, Some(key))?,
                }
            }
        }
        context.extensions_mut().insert(asker);
        Ok(())
    }

    async fn create_bucket(&self, req: &mut S3Request<CreateBucketInput>) -> S3Result<()> {
        let mut asker = asker(req)?;
        let configuration = req.input.create_bucket_configuration.as_ref();
        if let Some(region) = configuration.and_then(|c| c.location_constraint.as_ref()) {
            asker.context.put("s3:locationconstraint", region.as_str());
        }
        asker.may("s3:CreateBucket", &req.input.bucket, None)
    }

    async fn put_object_tagging(&self, req: &mut S3Request<PutObjectTaggingInput>) -> S3Result<()> {
        let mut asker = asker(req)?;
        let tags = req.input.tagging.tag_set.iter();
        let tags: BTreeMap<_, _> = tags
            .filter_map(|tag| Some((tag.key.clone()?, tag.value.clone()?)))
            .collect();
        facts::describe_new_tags(&mut asker.context, &tags);
        asker.may(
            "s3:PutObjectTagging",
            &req.input.bucket,
            Some(&req.input.key),
        )
    }

    async fn post_object(&self, req: &mut S3Request<PostObjectInput>) -> S3Result<()> {
        asker(req)?.may("s3:PutObject", &req.input.bucket, Some(&req.input.key))
    }
}

fn bear_witness(context: &S3AccessContext<'_>, asker: &Asker) {
    let Some(identity) = asker.caller.identity() else {
        return;
    };
    let asked = Asked {
        operation: context.s3_op().name().to_owned(),
        bucket: context.s3_path().get_bucket_name().map(str::to_owned),
        of_object: matches!(context.s3_path(), S3Path::Object { .. }),
        identity: identity.clone(),
        access_key_id: context
            .credentials()
            .map_or(String::new(), |c| c.access_key.clone()),
        issued_s: asker.issued_s,
    };
    if let Some(witness) = &asker.witness {
        // Every request is checked once.
        let _ = witness.0.asked.set(asked);
    }
}

impl Access {
    fn asker(&self, context: &mut S3AccessContext<'_>) -> S3Result<Asker> {
        let mut known = Context::default();
        let (mut issued, mut permissions) = (None, None);
        let caller = match context.credentials() {
            None => Caller::Anonymous,
            Some(credentials) => {
                let token = query_value(context.uri(), "X-Amz-Security-Token");
                let given = header(context.headers(), "x-amz-security-token");
                let token = given.or(token.as_deref());
                let signer = self.keys.0.signer(&credentials.access_key, token)?;
                issued = signer.issued_s;
                permissions = signer.permissions;
                if let Some(issued_s) = signer.issued_s {
                    known.put("aws:TokenIssueTime", facts::iso8601(issued_s));
                }
                Caller::Identity(signer.identity)
            }
        };
        let origin = context.extensions_mut().get::<Origin>().cloned();
        let origin =
            origin.unwrap_or_else(|| Origin::public(IpAddr::V4(Ipv4Addr::LOCALHOST), false));
        origin.describe(&mut known);
        caller.describe(&mut known);
        facts::describe(&mut known, context.uri(), context.headers());
        if let Some(tags) = header(context.headers(), "x-amz-tagging") {
            facts::describe_new_tags(&mut known, &transfer::header_tags(Some(tags))?);
        }
        Ok(Asker {
            s3: self.s3.clone(),
            caller,
            origin,
            context: known,
            witness: context.extensions_mut().get::<Witness>().cloned(),
            issued_s: issued,
            permissions,
        })
    }
}

impl Asker {
    /// The account of the caller, who must not be anonymous.
    pub(crate) fn account(&self) -> S3Result<&str> {
        let identity = self.caller.identity().ok_or_else(access_denied)?;
        Ok(&identity.account)
    }

    /// Whether the caller may do `action` with a bucket, or with an object in it.
    ///
    /// # Errors
    ///
    /// AccessDenied if not; NoSuchBucket if nothing is against it but that there is no bucket.
    pub(crate) fn may(&self, action: &str, bucket: &str, key: Option<&str>) -> S3Result<()> {
        self.gate(action, bucket)?.may(action, key)
    }

    /// What stands before `action` on a bucket, for many keys.
    ///
    /// # Errors
    ///
    /// As [`may`](Self::may), for what denies it whatever the key.
    pub(crate) fn gate<'a>(&'a self, action: &str, bucket: &'a str) -> S3Result<Gate<'a>> {
        let info = match action {
            // It is for the handler to say whose the name is already.
            "s3:CreateBucket" => None,
            _ => self.s3.bucket(bucket)?,
        };
        let identity = self.caller.identity();
        let own = identity.map(|identity| identity.account.as_str());
        let owner = match (&info, own) {
            (Some(info), _) => info.owner.as_str(),
            // What does not exist is nobody else's.
            (None, Some(own)) => own,
            (None, None) if action == "s3:CreateBucket" => return Err(access_denied()),
            (None, None) => return Err(super::bucket::no_such_bucket()),
        };
        if is_about_policy(action) && own != Some(owner) {
            return Err(method_not_allowed());
        }
        let keeps = is_about_policy(action) && identity.is_some_and(Identity::is_root);
        let document = match &info {
            Some(info) if !keeps => info.document(bucket)?,
            _ => None,
        };
        if document.as_ref().is_some_and(Document::is_public)
            && own != Some(owner)
            && self.s3.public_access_block(bucket)?.restrict_public_buckets == Some(true)
        {
            return Err(access_denied());
        }
        let mut context = self.context.clone();
        if let Some(info) = &info {
            context.put("s3:ResourceAccount", &info.owner);
            context.put("aws:ResourceAccount", &info.owner);
            context.put("aws:RequestedRegion", &info.region);
        }
        Ok(Gate {
            owner: owner.to_owned(),
            asker: self,
            bucket,
            document,
            context,
        })
    }

    /// Whether the caller may list the buckets of its account.
    fn may_list_buckets(&self, action: &str) -> S3Result<()> {
        let owner = self.account()?;
        self.decide(action, "arn:aws:s3:::*", &self.context, None, owner)
    }

    fn decide(
        &self,
        action: &str,
        resource: &str,
        context: &Context,
        document: Option<&Document>,
        owner: &str,
    ) -> S3Result<()> {
        let identity = self.caller.identity();
        let canonical_user_id = identity.map(|identity| canonical_id(&identity.account));
        let request = policy::Request {
            caller: &self.caller,
            canonical_user_id: canonical_user_id.as_deref(),
            action,
            resource,
            context,
        };
        let policies = Policies {
            endpoint: self.origin.endpoint_policy(),
            resource: document,
            owner,
            identity: self.permissions.as_deref(),
        };
        let Err(denial) = policy::decide(&request, &policies) else {
            return Ok(());
        };
        tracing::debug!(action, resource, %denial, "access denied");
        if let Some(witness) = self
            .witness
            .as_ref()
            .filter(|_| denial.by == Source::Endpoint)
        {
            witness.0.denied_by_endpoint.store(true, Ordering::Relaxed);
        }
        // Other accounts do not learn what denies them ("Troubleshoot access denied errors").
        if identity.is_some_and(|identity| identity.account == owner) {
            let message = denial.quoted_message(&request);
            return Err(S3Error::with_message(S3ErrorCode::AccessDenied, message));
        }
        Err(access_denied())
    }

    /// What an object's absence is for the caller: only who may list the bucket is told of it ("GetObject").
    pub(crate) fn hide_absence(&self, error: S3Error, bucket: &str) -> S3Error {
        if *error.code() != S3ErrorCode::NoSuchKey {
            return error;
        }
        self.may("s3:ListBucket", bucket, None)
            .err()
            .unwrap_or(error)
    }
}

impl Gate<'_> {
    /// Whether the caller may do `action` with the bucket, or with an object in it.
    pub(crate) fn may(&self, action: &str, key: Option<&str>) -> S3Result<()> {
        let (asker, bucket) = (self.asker, self.bucket);
        let document = self.document.as_ref();
        let ask = |resource: &str, context: &Context| {
            asker.decide(action, resource, context, document, &self.owner)
        };
        let Some(key) = key else {
            return ask(&format!("arn:aws:s3:::{bucket}"), &self.context);
        };
        let resource = format!("arn:aws:s3:::{bucket}/{key}");
        let is_asked = document.is_some()
            || asker.origin.endpoint_policy().is_some()
            || asker.permissions.is_some();
        match is_asked.then(|| asker.s3.store.object(bucket, key)) {
            Some(Ok(record)) if !record.attributes.tags.is_empty() => {
                let mut context = self.context.clone();
                facts::describe_tags(&mut context, &record.attributes.tags);
                ask(&resource, &context)
            }
            _ => ask(&resource, &self.context),
        }
    }
}

impl BucketInfo {
    /// The bucket's policy. One that an older version kept without reading it lets nobody in until it is put again.
    pub(super) fn document(&self, bucket: &str) -> S3Result<Option<Document>> {
        let Some(text) = &self.policy else {
            return Ok(None);
        };
        match Document::parse(text, Kind::Bucket(bucket)) {
            Ok(document) => Ok(Some(document)),
            Err(error) => {
                tracing::warn!(bucket, %error, "a bucket's policy cannot be read: access is denied until it is put again");
                Err(access_denied())
            }
        }
    }
}

impl S3 {
    /// Refuses a bucket whose owner is not the one that the caller expects.
    fn check_owner(&self, bucket: &str, expected: Option<&str>) -> S3Result<()> {
        match (self.bucket(bucket)?, expected) {
            (Some(info), Some(expected)) if expected != info.owner => Err(access_denied()),
            _ => Ok(()),
        }
    }

    /// The bucket's settings against public access; none are in force where none were put.
    pub(crate) fn public_access_block(
        &self,
        bucket: &str,
    ) -> S3Result<PublicAccessBlockConfiguration> {
        let stored = self.store.setting(bucket, Setting::PublicAccessBlock)?;
        let configuration = stored.and_then(|text| serde_json::from_str(&text).ok());
        Ok(configuration.unwrap_or_default())
    }
}

/// A method that the resource does not have.
fn method_not_allowed() -> S3Error {
    S3ErrorCode::MethodNotAllowed.into()
}

pub(crate) fn access_denied() -> S3Error {
    s3_error!(AccessDenied, "Access Denied")
}

/// Who asks.
pub(crate) fn asker<T>(request: &S3Request<T>) -> S3Result<Asker> {
    let asker = request.extensions.get::<Asker>();
    asker.cloned().ok_or_else(access_denied)
}

/// The account that signed the request.
pub(crate) fn caller<T>(request: &S3Request<T>) -> S3Result<String> {
    let asker = request
        .extensions
        .get::<Asker>()
        .ok_or_else(access_denied)?;
    asker.account().map(str::to_owned)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
