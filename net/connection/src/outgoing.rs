//! What is on its way out of one connection: sent piece by piece, lent bytes let go while the peer
//! is slow.
//!
//! ```text
//! send what the socket takes at once ──► it takes nothing: let go of what is lent, keep the places
//!              ▲                                           │
//!              └── ask the lenders for the next 256 KiB ◄── wait until it takes bytes again
//! ```

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use runtime::{Instant, Lease, Shard, SharedFile, Socket};

use crate::part::{Lender, Lent, Part, Place};

/// What is asked for again at once: what one step of a send takes.
const STEP_SIZE: u64 = 256 * 1024;
/// Pieces of one step; a send takes no more.
const STEP_PIECES: usize = 256;

/// What is sent of a file before the patience begins anew: as a step is bounded as a whole, a peer
/// that takes 9 KB a second is not called silent.
const FILE_STEP_SIZE: u64 = STEP_SIZE;

/// How slow a peer may be.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    /// It may take nothing, or not all of a file's step, for so long.
    Silence(Duration),
    /// It takes so many bytes a second, and may be so far behind that.
    Pace { behind_max: Duration, bytes_a_second: u64 },
}

/// Where to, and how patiently.
pub(crate) struct Way<'a> {
    shard: &'a Shard,
    socket: &'a Socket,
    patience: Patience,
    began: Instant,
    /// What the peer has taken.
    taken: Cell<u64>,
}

impl Way<'_> {
    /// A way that begins now.
    pub(crate) fn new<'a>(shard: &'a Shard, socket: &'a Socket, patience: Patience) -> Way<'a> {
        Way { shard, socket, patience, began: shard.now(), taken: Cell::new(0) }
    }

    /// Waits for what depends on the peer.
    async fn patiently(&self, sending: impl Future<Output = io::Result<()>>) -> io::Result<()> {
        let patience = match self.patience {
            Patience::Silence(max) => max,
            Patience::Pace { behind_max, bytes_a_second } => {
                let due = self.began + behind_max;
                let due = due + Duration::from_secs(self.taken.get() / bytes_a_second);
                due.since(self.shard.now())
            }
        };
        let slow = |_| {
            let (taken, seconds) = (self.taken.get(), self.shard.now().since(self.began).as_secs());
            let text = format!("the peer took {taken} bytes of its answers in {seconds} s");
            io::Error::new(io::ErrorKind::TimedOut, text)
        };
        self.shard.timeout(patience, sending).await.map_err(slow)?
    }

    /// The peer has taken so many bytes more.
    fn took(&self, bytes: u64) {
        self.taken.set(self.taken.get() + bytes);
    }
}

/// Pieces that are to leave, in order.
#[derive(Default)]
pub(crate) struct Outgoing(VecDeque<Piece>);

enum Piece {
    Memory(Lease),
    /// `skip` bytes of the stretch were sent before; `rest` is what is left of it, unless it was
    /// let go.
    Lent {
        rest: Option<Lease>,
        skip: u64,
        place: Place,
        lender: Lender,
    },
    File {
        file: SharedFile,
        position: u64,
        len: u64,
    },
}

impl Outgoing {
    /// Adds parts behind what is there.
    pub(crate) fn push(&mut self, parts: Vec<Part>) {
        self.0.extend(parts.into_iter().map(Piece::from).filter(|piece| !piece.is_empty()));
    }

    /// Sends everything. After an error an unknown part of it is sent.
    pub(crate) async fn send(&mut self, way: &Way<'_>) -> io::Result<()> {
        while let Some(piece) = self.0.front() {
            match piece {
                Piece::File { file, position, len } => {
                    let (file, position) = (file.clone(), *position);
                    let step = (*len).min(FILE_STEP_SIZE);
                    // It takes as long as the peer wants; what is behind is asked for again then.
                    self.let_go();
                    way.patiently(way.socket.send_file(&file, position, step)).await?;
                    way.took(step);
                    skip_front(&mut self.0, step);
                }
                Piece::Lent { rest: None, .. } => self.ask_again().await?,
                Piece::Lent { .. } | Piece::Memory(_) => self.send_step(way).await?,
            }
        }
        Ok(())
    }

    /// Sends what the socket takes at once; waits, with nothing lent, if that is nothing.
    async fn send_step(&mut self, way: &Way<'_>) -> io::Result<()> {
        let step = self.step();
        let sent = way.socket.try_send_vectored(&step).await?;
        drop(step);
        if sent > 0 {
            way.took(sent as u64);
            self.advance(sent);
            return Ok(());
        }
        self.let_go();
        way.patiently(way.socket.writable()).await
    }

    /// What is in memory at the front.
    fn step(&self) -> Vec<Lease> {
        let memory = self.0.iter().map_while(|piece| match piece {
            Piece::Memory(bytes) | Piece::Lent { rest: Some(bytes), .. } => Some(bytes.clone()),
            Piece::Lent { rest: None, .. } | Piece::File { .. } => None,
        });
        let mut size = 0;
        let fits = memory.take(STEP_PIECES).take_while(|bytes| {
            let fits = size < STEP_SIZE;
            size += bytes.len() as u64;
            fits
        });
        fits.collect()
    }

    /// So many bytes of the front are sent.
    fn advance(&mut self, sent: usize) {
        let mut sent = sent;
        while sent > 0 {
            let piece = self.0.front_mut().expect("no more is sent than there is");
            let (Piece::Memory(bytes) | Piece::Lent { rest: Some(bytes), .. }) = &mut *piece else {
                unreachable!("only memory was sent");
            };
            let now = sent.min(bytes.len());
            *bytes = bytes.slice(now..bytes.len());
            sent -= now;
            if bytes.is_empty() {
                self.0.pop_front();
            } else if let Piece::Lent { skip, .. } = piece {
                *skip += now as u64;
            }
        }
    }

    /// Gives back all that is lent; the places stay.
    fn let_go(&mut self) {
        for piece in &mut self.0 {
            if let Piece::Lent { rest, .. } = piece {
                *rest = None;
            }
        }
    }

    /// Gets the next stretch again, as much as one step takes.
    async fn ask_again(&mut self) -> io::Result<()> {
        let (lender, place, skip, count) = self.next_stretch();
        let gone = || {
            let text = "what was being sent is gone: its topic was deleted, or its disk fails";
            io::Error::new(io::ErrorKind::UnexpectedEof, text)
        };
        let parts = lender.again(place).await.ok_or_else(gone)?;
        let mut pieces: VecDeque<Piece> = parts.into_iter().map(Piece::from).collect();
        if pieces.iter().map(Piece::size).sum::<u64>() != place.size_bytes {
            return Err(gone());
        }
        skip_front(&mut pieces, skip);
        self.0.drain(..count);
        for piece in pieces.into_iter().rev() {
            self.0.push_front(piece);
        }
        Ok(())
    }

    /// The pieces at the front that make one stretch of one lender: who has them, where, how much
    /// of the first one is sent, and how many pieces they are.
    fn next_stretch(&self) -> (Lender, Place, u64, usize) {
        let mut stretch: Option<(Lender, Place, u64, usize)> = None;
        for piece in &self.0 {
            let Piece::Lent { rest: None, skip, place, lender } = piece else { break };
            match &mut stretch {
                None => stretch = Some((lender.clone(), *place, *skip, 1)),
                Some((first, whole, _, count)) => {
                    let joins = first.is(lender) && whole.to == place.from;
                    if !joins || whole.size_bytes + place.size_bytes > STEP_SIZE {
                        break;
                    }
                    whole.to = place.to;
                    whole.size_bytes += place.size_bytes;
                    *count += 1;
                }
            }
        }
        stretch.expect("called when the front was let go")
    }
}

/// Takes bytes off the front that were sent before.
fn skip_front(pieces: &mut VecDeque<Piece>, skip: u64) {
    let mut left = skip;
    while left > 0 {
        let piece = pieces.front_mut().expect("no more was sent than there was");
        if piece.size() <= left {
            left -= piece.size();
            pieces.pop_front();
            continue;
        }
        match piece {
            Piece::Memory(bytes) => *bytes = bytes.slice(left as usize..bytes.len()),
            Piece::Lent { rest, skip, .. } => {
                *rest = rest.as_ref().map(|bytes| bytes.slice(left as usize..bytes.len()));
                *skip += left;
            }
            Piece::File { position, len, .. } => {
                *position += left;
                *len -= left;
            }
        }
        left = 0;
    }
}

impl From<Part> for Piece {
    fn from(part: Part) -> Piece {
        match part {
            Part::Memory(bytes) | Part::Kept(bytes) => Piece::Memory(bytes),
            Part::Lent(Lent { bytes, place, lender }) => {
                Piece::Lent { rest: Some(bytes), skip: 0, place, lender }
            }
            Part::File { file, position, len } => Piece::File { file, position, len },
        }
    }
}

impl Piece {
    fn size(&self) -> u64 {
        match self {
            Piece::Memory(bytes) => bytes.len() as u64,
            Piece::Lent { skip, place, .. } => place.size_bytes - skip,
            Piece::File { len, .. } => *len,
        }
    }

    fn is_empty(&self) -> bool {
        self.size() == 0
    }
}

#[cfg(test)]
mod tests;
