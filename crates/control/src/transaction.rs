//! A request in progress: the state as the request has made it so far, and the changes that did.

use ec2_api::Response;
use model::state::Row;
use model::{Change, Entropy, Id, IdBody, Scope, State, Table, Timestamp, World};

use crate::{Error, Quotas};

/// What a request did: its answer, and the steps to journal.
#[derive(Debug)]
pub struct Applied {
    /// The answer.
    pub response: Response,
    /// Steps for the request's own account and Region, in order; empty if nothing changed.
    pub changes: Vec<Change>,
}

/// A request in progress. Dropping it forgets everything that it did.
pub struct Transaction<'a> {
    world: &'a World,
    scope: Scope,
    state: State,
    changes: Vec<Change>,
    now: Timestamp,
    entropy: &'a mut dyn Entropy,
    quotas: &'a Quotas,
}

impl<'a> Transaction<'a> {
    /// Starts from what the world is now.
    pub fn begin(
        world: &'a World,
        scope: Scope,
        now: Timestamp,
        entropy: &'a mut dyn Entropy,
        quotas: &'a Quotas,
    ) -> Self {
        let state = world.region(&scope).cloned().unwrap_or_default();
        Self {
            world,
            scope,
            state,
            changes: Vec::new(),
            now,
            entropy,
            quotas,
        }
    }

    /// The changes so far, with the request's answer.
    pub fn finish(self, response: Response) -> Applied {
        Applied {
            response,
            changes: self.changes,
        }
    }

    /// The changes so far.
    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// The account and Region of the caller.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// The state, with the changes of this request in it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Everybody's state, without the changes of this request.
    pub fn world(&self) -> &'a World {
        self.world
    }

    /// When the request came in.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The limits in force.
    pub fn quotas(&self) -> &'a Quotas {
        self.quotas
    }

    /// A number that nobody can foresee.
    pub(crate) fn random(&mut self) -> u128 {
        self.entropy.next_u128()
    }

    /// A fresh id.
    pub(crate) fn id<T: Id>(&mut self) -> T {
        T::from_body(IdBody::new(self.entropy.next_u128()))
    }

    /// Puts a row in place.
    pub(crate) fn put<R: Row>(&mut self, key: R::Key, row: R) {
        self.change(R::put(key, row));
    }

    /// Takes a row out.
    pub(crate) fn delete<R: Row>(&mut self, key: R::Key) {
        self.change(R::delete(key));
    }

    /// The row with this id, or AWS's error for its noun.
    pub(crate) fn find<R: Row>(&self, key: R::Key) -> Result<&R, Error>
    where
        R::Key: Id,
    {
        R::table(&self.state)
            .get(&key)
            .ok_or_else(|| Error::NotFound(key.into()))
    }

    /// A copy of the row with this id, to be changed and put back.
    pub(crate) fn take<R: Row>(&self, key: R::Key) -> Result<R, Error>
    where
        R::Key: Id,
    {
        self.find(key).cloned()
    }

    /// The rows of a table.
    pub(crate) fn rows<R: Row + 'static>(&self) -> impl Iterator<Item = &R>
    where
        R::Key: 'static,
    {
        let table: &Table<R::Key, R> = R::table(&self.state);
        table.values()
    }

    /// The rows with these ids in the order of ids, or all of them if no ids are given.
    pub(crate) fn select<R: Row + 'static>(&self, ids: &[String]) -> Result<Vec<&R>, Error>
    where
        R::Key: Id + 'static,
    {
        if ids.is_empty() {
            return Ok(self.rows().collect());
        }
        let ids = ids.iter().map(|text| text.parse::<R::Key>());
        let ids = ids.collect::<Result<std::collections::BTreeSet<_>, _>>()?;
        ids.into_iter().map(|id| self.find(id)).collect()
    }

    fn change(&mut self, change: Change) {
        self.state.apply(&change);
        self.changes.push(change);
    }
}
