//! A value that does not change, held by any number of shards.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A read-only value, made once and sent to every shard, for instance a cluster's image.
#[derive(Debug)]
pub struct Snapshot<T>(Arc<T>);

impl<T: Send + Sync> Snapshot<T> {
    /// Nobody changes the value from here on.
    pub fn new(value: T) -> Snapshot<T> {
        Snapshot(Arc::new(value))
    }

    /// Whether both are the very same value, not only equal ones.
    pub fn is(&self, other: &Snapshot<T>) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Snapshot<T> {
        Snapshot(self.0.clone())
    }
}

impl<T> Deref for Snapshot<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Display> fmt::Display for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
