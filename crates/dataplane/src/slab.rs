//! Values at stable small indices, so that tables can refer to each other.

/// No index.
pub(crate) const NONE: u32 = u32::MAX;

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Grows by chunks and never moves what it holds.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Option<T>>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            chunks: Vec::new(),
            free: Vec::new(),
        }
    }
}

fn place(index: u32) -> (usize, usize) {
    ((index >> CHUNK_BITS) as usize, index as usize & (CHUNK - 1))
}

impl<T> Slab<T> {
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let (chunk, at) = place(index);
        self.chunks.get(chunk)?.get(at)?.as_ref()
    }

    #[inline]
    fn slot(&mut self, index: u32) -> Option<&mut Option<T>> {
        let (chunk, at) = place(index);
        self.chunks.get_mut(chunk)?.get_mut(at)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut T> {
        self.slot(index)?.as_mut()
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(index) = self.free.pop()
            && let Some(slot) = self.slot(index)
        {
            *slot = Some(value);
            return index;
        }
        let index = self.places();
        match self.chunks.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(Some(value)),
            _ => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(Some(value));
                self.chunks.push(chunk);
            }
        }
        index
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let value = self.take(index)?;
        self.free(index);
        Some(value)
    }

    /// Takes a value out, and keeps its index from other values until it is [`free`](Self::free)d.
    pub(crate) fn take(&mut self, index: u32) -> Option<T> {
        self.slot(index)?.take()
    }

    /// Gives an index back whose value has been taken.
    pub(crate) fn free(&mut self, index: u32) {
        self.free.push(index);
    }

    /// How many indices have ever been in use.
    pub(crate) fn places(&self) -> u32 {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        (full + self.chunks.last().map_or(0, Vec::len)) as u32
    }
}
