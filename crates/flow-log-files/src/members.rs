//! Members of gzip that follow each other, as one stream of bytes.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// Decompresses members up to the end. Zeros behind a member are padding, as gzip(1) has it: tapes and copies by the
/// block leave them.
pub(crate) struct Members<R> {
    /// Taken only while it becomes another.
    state: Option<State<R>>,
}

enum State<R> {
    Inside(Box<GzDecoder<R>>),
    Between(R),
}

impl<R: BufRead> State<R> {
    fn inside(input: R) -> Self {
        Self::Inside(Box::new(GzDecoder::new(input)))
    }
}

impl<R: BufRead> Members<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            state: Some(State::inside(input)),
        }
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.state {
                Some(State::Inside(member)) => {
                    let read = member.read(buffer)?;
                    if read > 0 || buffer.is_empty() {
                        return Ok(read);
                    }
                }
                Some(State::Between(input)) => {
                    if !skip_zeros(input)? {
                        return Ok(0);
                    }
                }
                None => return Ok(0),
            }
            self.state = match self.state.take() {
                Some(State::Inside(member)) => Some(State::Between(member.into_inner())),
                Some(State::Between(input)) => Some(State::inside(input)),
                None => None,
            };
        }
    }
}

/// Whether anything else follows.
fn skip_zeros(input: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let buffer = input.fill_buf()?;
        let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
        let (is_end, is_over) = (buffer.is_empty(), zeros < buffer.len());
        input.consume(zeros);
        if is_end || is_over {
            return Ok(is_over);
        }
    }
}
