//! A table of resources that is cheap to copy: readers keep a snapshot while the writer goes on.

use std::sync::Arc;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Resources by id. Cloning is O(1); a change copies only the path to what changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Table<K: Ord + Clone, V>(OrdMap<K, Arc<V>>);

impl<K: Ord + Clone, V> Default for Table<K, V> {
    fn default() -> Self {
        Self(OrdMap::new())
    }
}

impl<K: Ord + Clone, V> Table<K, V> {
    /// The resource with this id.
    pub fn get(&self, id: &K) -> Option<&V> {
        self.0.get(id).map(AsRef::as_ref)
    }

    /// Whether a resource has this id.
    pub fn contains(&self, id: &K) -> bool {
        self.0.contains_key(id)
    }

    /// Every resource, in the order of ids.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values().map(AsRef::as_ref)
    }

    /// Every id and its resource, in the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(k, v)| (k, v.as_ref()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a resource in, in place of one with the same id.
    pub fn insert(&mut self, id: K, value: V) {
        self.0.insert(id, Arc::new(value));
    }

    /// Takes a resource out.
    pub fn remove(&mut self, id: &K) {
        self.0.remove(id);
    }

    /// Whether the two share everything, so that nothing can differ; `false` proves nothing.
    pub fn same(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }
}

impl<K: Ord + Clone, V: PartialEq> Table<K, V> {
    /// What is not the same in an earlier table: the id, the resource before and the one now, in the order of ids.
    ///
    /// What the two share is not looked at: the time is that of the differences, not of the tables.
    pub fn differences<'a>(
        &'a self,
        before: &'a Self,
    ) -> impl Iterator<Item = (&'a K, Option<&'a V>, Option<&'a V>)> {
        let same = self.same(before);
        let differences = (!same).then(|| before.0.diff(&self.0));
        differences.into_iter().flatten().map(|item| match item {
            DiffItem::Add(id, now) => (id, None, Some(now.as_ref())),
            DiffItem::Update {
                old: (_, old),
                new: (id, now),
            } => (id, Some(old.as_ref()), Some(now.as_ref())),
            DiffItem::Remove(id, old) => (id, Some(old.as_ref()), None),
        })
    }
}

impl<K: Ord + Clone + Serialize, V: Serialize> Serialize for Table<K, V> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_seq(self.iter())
    }
}

impl<'de, K, V> Deserialize<'de> for Table<K, V>
where
    K: Ord + Clone + Deserialize<'de>,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let rows = Vec::<(K, V)>::deserialize(d)?;
        Ok(Self(
            rows.into_iter().map(|(k, v)| (k, Arc::new(v))).collect(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_what_was_put_in_and_taken_out_since() {
        let mut before = Table::default();
        for id in 0..1000 {
            before.insert(id, "as before");
        }
        let mut now = before.clone();
        assert_eq!(now.differences(&before).count(), 0);
        now.insert(500, "changed");
        now.insert(501, "as before");
        now.insert(1000, "new");
        now.remove(&7);
        let found: Vec<_> = now.differences(&before).collect();
        assert_eq!(
            found,
            [
                (&7, Some(&"as before"), None),
                (&500, Some(&"as before"), Some(&"changed")),
                (&1000, None, Some(&"new")),
            ]
        );
    }
}
