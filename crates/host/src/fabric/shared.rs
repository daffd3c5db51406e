//! Tables of the kernel's in our memory.

use std::marker::PhantomData;
use std::os::fd::AsFd;
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::layout::Mapped;
use crate::error::{During, Result};

/// All entries of a table that the kernel reads and writes as well.
#[derive(Debug)]
pub(super) struct Shared<T> {
    start: NonNull<T>,
    length: usize,
    entries: PhantomData<T>,
}

// SAFETY: it is memory for everybody, in which there are atomic integers only.
unsafe impl<T: Mapped> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Mapped> Sync for Shared<T> {}

impl<T: Mapped> Shared<T> {
    /// Maps a table of so many entries.
    pub(super) fn map(table: impl AsFd, length: usize) -> Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at an address of the kernel's choosing; the kernel refuses one that is longer than the
        // table.
        let start = unsafe {
            mmap(
                std::ptr::null_mut(),
                length * size_of::<T>(),
                protection,
                MapFlags::SHARED,
                table,
                0,
            )
        }
        .during(|| "map a table of flows into memory".into())?;
        let start = NonNull::new(start.cast())
            .ok_or_else(|| crate::Error::Invalid("a table is mapped nowhere".into()))?;
        Ok(Self {
            start,
            length,
            entries: PhantomData,
        })
    }

    pub(super) fn get(&self, at: usize) -> Option<&T> {
        if at >= self.length {
            return None;
        }
        // SAFETY: within the mapping, which lives as long as `self`; page-aligned, and `T` is `Mapped`.
        Some(unsafe { self.start.add(at).as_ref() })
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping that `map` made, to which no reference is left.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.length * size_of::<T>()) };
    }
}
