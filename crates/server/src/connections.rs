//! The connections of the port: so many at a time. One more takes the place of the one whose client has kept it waiting
//! for the longest time.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::Notify;

/// Leaves descriptors for everything else.
const CONNECTIONS_MAX: usize = 512;

/// Who is connected.
#[derive(Default)]
pub(crate) struct Connections(Mutex<Table>);

#[derive(Default)]
struct Table {
    rows: BTreeMap<u64, Row>,
    /// Counts what happens: whatever has the lower number was earlier.
    clock: u64,
}

struct Row {
    turn: Turn,
    since: u64,
    given_up: Arc<Notify>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The client's: a request is awaited, or the next part of its body.
    Client,
    /// The daemon's: the client is due an answer, or gets one, and keeps its place.
    Daemon,
}

/// A connection's place; free again when it is dropped.
pub(crate) struct Place {
    connections: Arc<Connections>,
    number: u64,
    given_up: Arc<Notify>,
}

impl Connections {
    /// A place for a new connection. `None` if all that are there are due an answer.
    pub(crate) fn take(self: &Arc<Self>) -> Option<Arc<Place>> {
        let mut table = self.lock();
        if table.rows.len() >= CONNECTIONS_MAX {
            let waited_for = table.rows.iter().filter(|(_, r)| r.turn == Turn::Client);
            let (&number, _) = waited_for.min_by_key(|(_, row)| row.since)?;
            let row = table.rows.remove(&number)?;
            row.given_up.notify_one();
        }
        table.clock += 1;
        let number = table.clock;
        let given_up = Arc::new(Notify::new());
        let row = Row {
            turn: Turn::Client,
            since: number,
            given_up: given_up.clone(),
        };
        table.rows.insert(number, row);
        Some(Arc::new(Place {
            connections: self.clone(),
            number,
            given_up,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Returns when another connection has taken this place.
    pub(crate) async fn given_up(&self) {
        self.given_up.notified().await;
    }

    fn give(&self, turn: Turn) {
        let mut table = self.connections.lock();
        table.clock += 1;
        let now = table.clock;
        if let Some(row) = table.rows.get_mut(&self.number) {
            (row.turn, row.since) = (turn, now);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.lock().rows.remove(&self.number);
    }
}

/// The body of a request: until it has come as a whole, its connection waits for the client.
pub(crate) struct Arriving<B = hyper::body::Incoming> {
    body: B,
    place: Option<Arc<Place>>,
}

impl<B: Body> Arriving<B> {
    /// A body that begins to come. Connections without a place are bounded elsewhere.
    pub(crate) fn new(body: B, place: Option<Arc<Place>>) -> Self {
        let arriving = Self { body, place };
        arriving.note(arriving.body.is_end_stream());
        arriving
    }

    fn note(&self, has_come: bool) {
        let turn = match has_come {
            true => Turn::Daemon,
            false => Turn::Client,
        };
        if let Some(place) = &self.place {
            place.give(turn);
        }
    }
}

impl<B: Body + Unpin> Body for Arriving<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
        self.note(!matches!(frame, Some(Ok(_))) || self.body.is_end_stream());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer: when it is gone, its connection waits for the next request.
pub(crate) struct Leaving<B> {
    body: B,
    place: Option<Arc<Place>>,
}

impl<B> Leaving<B> {
    /// An answer that begins to go out.
    pub(crate) fn new(body: B, place: Option<Arc<Place>>) -> Self {
        if let Some(place) = &place {
            place.give(Turn::Daemon);
        }
        Self { body, place }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Leaving<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Leaving<B> {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            place.give(Turn::Client);
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    fn is_given_up(place: &Place) -> bool {
        !place.connections.lock().rows.contains_key(&place.number)
    }

    #[tokio::test]
    async fn one_more_takes_the_place_of_who_kept_waiting_longest() {
        let connections = Arc::new(Connections::default());
        let places: Vec<_> = (0..CONNECTIONS_MAX)
            .map(|_| connections.take().unwrap())
            .collect();
        // The first has just had an answer, the second sends a part of a body, the third is due an answer.
        drop(Leaving::new((), Some(places[0].clone())));
        let body = Full::new(Bytes::from_static(b"Action="));
        let sent = Arriving::new(body, Some(places[1].clone()));
        let _answer = Leaving::new((), Some(places[2].clone()));
        let _more = connections.take().unwrap();
        assert!(is_given_up(&places[3]));
        places[3].given_up().await;
        let _more: Vec<_> = (0..CONNECTIONS_MAX - 4)
            .map(|_| connections.take().unwrap())
            .collect();
        let gone = places.iter().filter(|place| is_given_up(place)).count();
        assert_eq!(
            (gone, is_given_up(&places[0])),
            (CONNECTIONS_MAX - 3, false)
        );
        // Whose body has come is due an answer.
        assert_eq!(sent.collect().await.unwrap().to_bytes().len(), 7);
        let _one_more = (connections.take().unwrap(), connections.take().unwrap());
        assert!(is_given_up(&places[0]) && !is_given_up(&places[1]) && !is_given_up(&places[2]));
        assert_eq!(connections.lock().rows.len(), CONNECTIONS_MAX);
    }

    #[test]
    fn who_is_due_an_answer_keeps_the_place() {
        let connections = Arc::new(Connections::default());
        let mut answers: Vec<_> = (0..CONNECTIONS_MAX)
            .map(|_| Leaving::new((), connections.take()))
            .collect();
        assert!(connections.take().is_none());
        answers.pop();
        assert!(connections.take().is_some());
        drop(answers);
        assert!(connections.lock().rows.is_empty());
    }
}
