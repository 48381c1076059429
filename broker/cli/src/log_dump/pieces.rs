//! A file read in pieces, as if what the manifest keeps of it stood in it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Read at once: enough for the disk's speed, little enough for any machine.
const WINDOW_BYTES: u64 = 256 << 10;

/// A file's bytes by position. It holds one piece in memory: a window, or what was asked for.
#[derive(Debug)]
pub(super) struct Pieces {
    file: File,
    size_bytes: u64,
    window_at: u64,
    window: Vec<u8>,
    /// Bytes that count instead of the file's from a position on.
    remainder: Option<(u64, Vec<u8>)>,
}

impl Pieces {
    /// Opens a file; anything else (a folder, a pipe, a device) is refused.
    pub(super) fn open(path: &Path) -> io::Result<Pieces> {
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::Error::other("it is no file"));
        }
        let file = File::open(path)?;
        let size_bytes = file.metadata()?.len();
        Ok(Pieces { file, size_bytes, window_at: 0, window: Vec::new(), remainder: None })
    }

    /// All bytes that there are, the remainder included.
    pub(super) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The file ends with these bytes from that position on, which it has at least.
    pub(super) fn set_remainder(&mut self, position: u64, bytes: &[u8]) {
        self.size_bytes = position + bytes.len() as u64;
        self.remainder = Some((position, bytes.to_vec()));
        self.window = Vec::new();
    }

    /// The file ends there, or where it ends.
    pub(super) fn cut(&mut self, size_bytes: u64) {
        self.size_bytes = self.size_bytes.min(size_bytes);
        self.window = Vec::new();
    }

    /// `len` bytes from a position on, fewer where the file ends.
    pub(super) fn at(&mut self, position: u64, len: u64) -> io::Result<&[u8]> {
        let left = self.size_bytes.saturating_sub(position);
        let len = len.min(left);
        let window_end = self.window_at + self.window.len() as u64;
        if position < self.window_at || position + len > window_end {
            self.fill(position, len.max(WINDOW_BYTES).min(left))?;
        }
        let start = to_usize(position - self.window_at).min(self.window.len());
        let end = (start + to_usize(len)).min(self.window.len());
        Ok(&self.window[start..end])
    }

    /// Where the first byte that is not zero stands, from a position on; none if none does.
    pub(super) fn first_nonzero(&mut self, mut position: u64) -> io::Result<Option<u64>> {
        while position < self.size_bytes {
            let piece = self.at(position, WINDOW_BYTES)?;
            if let Some(at) = piece.iter().position(|byte| *byte != 0) {
                return Ok(Some(position + at as u64));
            }
            if piece.is_empty() {
                break;
            }
            position += piece.len() as u64;
        }
        Ok(None)
    }

    fn fill(&mut self, position: u64, len: u64) -> io::Result<()> {
        self.window.clear();
        self.window_at = position;
        let disk_end = self.remainder.as_ref().map_or(self.size_bytes, |(at, _)| *at);
        let from_disk = len.min(disk_end.saturating_sub(position));
        self.window.resize(to_usize(from_disk), 0);
        let mut done = 0;
        while done < self.window.len() {
            match self.file.read_at(&mut self.window[done..], position + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.window.clear();
                    return Err(error);
                }
            }
        }
        self.window.truncate(done);
        if done as u64 == from_disk
            && let Some((at, bytes)) = &self.remainder
        {
            let start = to_usize(position.saturating_sub(*at)).min(bytes.len());
            let end = (start + to_usize(len - from_disk)).min(bytes.len());
            self.window.extend_from_slice(&bytes[start..end]);
        }
        Ok(())
    }
}

/// Sizes here are at most a file's, and what is read of it is at most one commit or batch.
fn to_usize(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
