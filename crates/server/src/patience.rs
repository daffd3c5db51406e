//! Bodies that must keep coming: a client that stalls does not hold its connection for ever.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// A part of a body may take so long to come; the whole may take as long as it likes.
const PATIENCE: Duration = Duration::from_secs(30);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A body whose every part comes in time, or that fails.
pub(crate) struct Patience<B> {
    body: B,
    deadline: Pin<Box<Sleep>>,
}

impl<B> Patience<B> {
    /// Waits for the first part from now on.
    pub(crate) fn with(body: B) -> Self {
        Self {
            body,
            deadline: Box::pin(tokio::time::sleep(PATIENCE)),
        }
    }
}

impl<B> Body for Patience<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Error>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(frame) => {
                self.deadline.as_mut().reset(Instant::now() + PATIENCE);
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Poll::Pending => self
                .deadline
                .as_mut()
                .poll(context)
                .map(|()| Some(Err("the request body was not received in time".into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// Gives a part after each of the waits, then stalls for ever or ends.
    struct Slow {
        waits: Vec<Duration>,
        sleep: Option<Pin<Box<Sleep>>>,
        ends: bool,
    }

    impl Body for Slow {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            let Some(&wait) = self.waits.first() else {
                return if self.ends {
                    Poll::Ready(None)
                } else {
                    Poll::Pending
                };
            };
            let sleep = self
                .sleep
                .get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)));
            std::task::ready!(sleep.as_mut().poll(context));
            self.sleep = None;
            self.waits.remove(0);
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"part")))))
        }
    }

    fn slow(seconds: &[u64], ends: bool) -> Patience<Slow> {
        let waits = seconds.iter().map(|&s| Duration::from_secs(s)).collect();
        Patience::with(Slow {
            waits,
            sleep: None,
            ends,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn slow_is_not_stalled() {
        let whole = slow(&[20, 20, 20], true).collect().await.unwrap();
        assert_eq!(whole.to_bytes().len(), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_fails() {
        assert!(slow(&[1], false).collect().await.is_err());
        assert!(slow(&[31], true).collect().await.is_err());
    }
}
