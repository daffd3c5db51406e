//! Reading the bodies of calls, with bounds on their size, their time and their sum.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Body;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Larger bodies of calls other than S3's are refused; the largest AWS takes are those of PutLogEvents.
const BODY_MAX: usize = 8 << 20;
/// A client has so long to send the body of a call.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);
/// The first bytes of a body are not counted: calls that are small are always taken.
const SMALL: usize = 64 << 10;
/// What has come of all other bodies that are being read may have so many bytes together.
const SUM_MAX: usize = 64 << 20;

/// Bytes that the bodies of calls may still have, [`SUM_MAX`] of them when there is none.
pub(crate) struct BodyBudget(Semaphore);

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is larger than any call's.
    #[error("The request body is larger than {BODY_MAX} bytes.")]
    TooLarge,
    /// Others' bodies take all the room that there is.
    #[error("The service is reading as many large requests as it can. Try again.")]
    NoRoom,
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
            Self::NoRoom => (503, "ServiceUnavailable"),
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
        B: Body<Data = Bytes> + Unpin,
    {
        if body.size_hint().lower() > BODY_MAX as u64 {
            return Err(Unreadable::TooLarge);
        }
        match tokio::time::timeout(BODY_TIMEOUT, self.collect(body)).await {
            Ok(read) => read,
            Err(_) => Err(Unreadable::TooSlow),
        }
    }

    async fn collect<B>(&self, mut body: B) -> Result<Bytes, Unreadable>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let mut whole = Vec::new();
        let mut room: Option<SemaphorePermit<'_>> = None;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Unreadable::Incomplete)?;
            let Ok(part) = frame.into_data() else {
                continue;
            };
            whole.extend_from_slice(&part);
            if whole.len() > BODY_MAX {
                return Err(Unreadable::TooLarge);
            }
            if whole.len() > SMALL {
                let size = u32::try_from(part.len()).map_err(|_| Unreadable::TooLarge)?;
                let more = self.0.try_acquire_many(size);
                let more = more.map_err(|_| Unreadable::NoRoom)?;
                match &mut room {
                    Some(room) => room.merge(more),
                    None => room = Some(more),
                }
            }
        }
        Ok(Bytes::from(whole))
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

    struct Never;

    impl Body for Never {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
            std::task::Poll::Pending
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

    #[tokio::test]
    async fn what_has_not_come_takes_no_room() {
        let budget = BodyBudget::default();
        let _taken = budget.0.try_acquire_many(SUM_MAX as u32).unwrap();
        let read = |size| budget.read(Full::new(Bytes::from(vec![0; size])));
        assert_eq!(read(SMALL).await.map(|b| b.len()), Ok(SMALL));
        assert_eq!(read(SMALL + 1).await, Err(Unreadable::NoRoom));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let budget = BodyBudget::default();
        assert_eq!(budget.read(Never).await, Err(Unreadable::TooSlow));
    }
}
