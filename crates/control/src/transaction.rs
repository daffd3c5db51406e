//! A request in progress: the state as the request has made it so far, and the changes that did.

use std::collections::BTreeMap;

use ec2_api::Response;
use model::state::Row;
use model::{Change, Entropy, Id, IdBody, Scope, State, Table, Timestamp, World};

use crate::{Error, Quotas};

/// What a request did: its answer, and the steps to journal.
#[derive(Debug)]
pub struct Applied<R = Response> {
    /// The answer.
    pub response: R,
    /// Steps, in order, each in the account and Region that it is for; empty if nothing changed.
    pub changes: Vec<(Scope, Change)>,
}

/// A request in progress. Dropping it forgets everything that it did.
pub struct Transaction<'a> {
    world: &'a World,
    scope: Scope,
    state: State,
    /// Other accounts and Regions that the request has changed.
    others: BTreeMap<Scope, State>,
    changes: Vec<(Scope, Change)>,
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
            others: BTreeMap::new(),
            changes: Vec::new(),
            now,
            entropy,
            quotas,
        }
    }

    /// The changes so far, with the request's answer.
    pub fn finish<R>(self, response: R) -> Applied<R> {
        Applied {
            response,
            changes: self.changes,
        }
    }

    /// The changes so far.
    pub(crate) fn into_changes(self) -> Vec<(Scope, Change)> {
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

    /// The state of any account in any Region, with the changes of this request in it; `None` if that has never been
    /// used.
    pub(crate) fn state_of(&self, scope: Scope) -> Option<&State> {
        if scope == self.scope {
            return Some(&self.state);
        }
        self.others
            .get(&scope)
            .or_else(|| self.world.region(&scope))
    }

    /// Every account and Region in use, with the changes of this request in it.
    pub(crate) fn states(&self) -> impl Iterator<Item = (Scope, &State)> {
        let elsewhere = self.world.regions.keys().copied();
        std::iter::once(self.scope)
            .chain(elsewhere.filter(|scope| *scope != self.scope))
            .filter_map(|scope| Some((scope, self.state_of(scope)?)))
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
        self.put_in(self.scope, key, row);
    }

    /// Takes a row out.
    pub(crate) fn delete<R: Row>(&mut self, key: R::Key) {
        self.delete_in::<R>(self.scope, key);
    }

    /// Puts a row in place in any account and Region, for what two accounts share.
    pub(crate) fn put_in<R: Row>(&mut self, scope: Scope, key: R::Key, row: R) {
        self.change(scope, R::put(key, row));
    }

    /// Takes a row out in any account and Region.
    pub(crate) fn delete_in<R: Row>(&mut self, scope: Scope, key: R::Key) {
        self.change(scope, R::delete(key));
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

    fn change(&mut self, scope: Scope, change: Change) {
        if scope == self.scope {
            self.state.apply(&change);
        } else {
            let known = || self.world.region(&scope).cloned().unwrap_or_default();
            self.others
                .entry(scope)
                .or_insert_with(known)
                .apply(&change);
        }
        self.changes.push((scope, change));
    }
}
