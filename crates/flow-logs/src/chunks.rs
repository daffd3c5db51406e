//! A list that grows without moving what it holds: memory for a large one is neither copied nor left behind in holes.

const BITS: u32 = 10;
const CHUNK: usize = 1 << BITS;

#[derive(Clone, Debug)]
pub(crate) struct Chunks<T>(Vec<Vec<T>>);

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

fn place(at: u32) -> (usize, usize) {
    ((at >> BITS) as usize, at as usize & (CHUNK - 1))
}

impl<T> Chunks<T> {
    pub(crate) fn len(&self) -> usize {
        let full = self.0.len().saturating_sub(1) * CHUNK;
        full + self.0.last().map_or(0, Vec::len)
    }

    #[inline]
    pub(crate) fn get(&self, at: u32) -> Option<&T> {
        let (chunk, at) = place(at);
        self.0.get(chunk)?.get(at)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        let (chunk, at) = place(at);
        self.0.get_mut(chunk)?.get_mut(at)
    }

    pub(crate) fn push(&mut self, value: T) {
        match self.0.last_mut() {
            Some(last) if last.len() < CHUNK => last.push(value),
            // A window of few flows takes little memory, too.
            Some(_) => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(value);
                self.0.push(chunk);
            }
            None => self.0.push(vec![value]),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }
}
