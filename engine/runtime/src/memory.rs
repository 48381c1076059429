//! Owned regions of memory with a stable address, which is all that the kernel and a lease need.

use crate::chunk::Ledger;
use std::alloc::{Layout, alloc, alloc_zeroed, dealloc, handle_alloc_error};
use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::sync::Arc;

/// What direct I/O asks of the address, the length and the position.
pub const DIRECT_ALIGN: usize = 4096;

/// A region of bytes. Whoever owns it knows which of them are initialised, and decides who may look
/// at which part when: it hands out raw pointers only.
///
/// Invariant: `ptr` is valid for `len` bytes as long as the region lives, and never moves.
#[derive(Debug)]
pub(crate) struct Memory {
    ptr: NonNull<u8>,
    len: usize,
    home: Home,
}

/// Where a region came from, and so where it goes.
#[derive(Debug)]
enum Home {
    Heap(Layout),
    Vector { capacity: usize },
    Pool { ledger: Arc<Ledger>, piece: Box<Piece> },
}

/// A pool's piece of memory, free or lent.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) memory: Memory,
    /// The ring (its core number) that knows this memory, and under which index.
    pub(crate) fixed: Option<(u16, u16)>,
}

// SAFETY: a region is plain bytes without ties to a thread; those who share it (`Lease`,
// `ChunkWriter`) keep readers and the one writer on disjoint ranges.
unsafe impl Send for Memory {}
// SAFETY: as above; `&Memory` by itself gives out only raw pointers.
unsafe impl Sync for Memory {}

impl Memory {
    /// Zeroed bytes. An empty region allocates nothing.
    pub(crate) fn zeroed(len: usize, align: usize) -> Memory {
        // SAFETY: the allocator is called with a layout whose size is not zero.
        Memory::allocated(len, align, |layout| unsafe { alloc_zeroed(layout) })
    }

    /// Bytes that may not be looked at before somebody has written them.
    pub(crate) fn uninitialised(len: usize, align: usize) -> Memory {
        // SAFETY: as above.
        Memory::allocated(len, align, |layout| unsafe { alloc(layout) })
    }

    fn allocated(len: usize, align: usize, allocate: impl Fn(Layout) -> *mut u8) -> Memory {
        let layout = Layout::from_size_align(len, align).expect("a length below isize::MAX");
        if len == 0 {
            return Memory { ptr: NonNull::dangling(), len, home: Home::Heap(layout) };
        }
        let ptr = allocate(layout);
        let ptr = NonNull::new(ptr).unwrap_or_else(|| handle_alloc_error(layout));
        Memory { ptr, len, home: Home::Heap(layout) }
    }

    /// The bytes of a vector, not copied.
    pub(crate) fn from_vec(bytes: Vec<u8>) -> Memory {
        let mut bytes = ManuallyDrop::new(bytes);
        let ptr = NonNull::new(bytes.as_mut_ptr()).expect("a vector's pointer is never null");
        Memory { ptr, len: bytes.len(), home: Home::Vector { capacity: bytes.capacity() } }
    }

    /// A piece that goes back to its pool when this region is dropped.
    pub(crate) fn lent(piece: Piece, ledger: Arc<Ledger>) -> Memory {
        let (ptr, len) = (piece.memory.ptr, piece.memory.len);
        Memory { ptr, len, home: Home::Pool { ledger, piece: Box::new(piece) } }
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.ptr.as_ptr()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The index under which the ring of `core` knows this memory.
    pub(crate) fn fixed_in(&self, core: u16) -> Option<u16> {
        match &self.home {
            Home::Pool { piece, .. } => {
                piece.fixed.filter(|(home, _)| *home == core).map(|(_, index)| index)
            }
            Home::Heap(_) | Home::Vector { .. } => None,
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let home = std::mem::replace(&mut self.home, Home::Vector { capacity: 0 });
        match home {
            Home::Heap(layout) if layout.size() > 0 => {
                // SAFETY: allocated with this very layout, and nobody else owns it.
                unsafe { dealloc(self.ptr.as_ptr(), layout) };
            }
            Home::Heap(_) => {}
            Home::Vector { capacity } => {
                // SAFETY: these are the parts of the vector that was taken apart, or (capacity 0)
                // of one that never allocated.
                drop(unsafe { Vec::from_raw_parts(self.ptr.as_ptr(), 0, capacity) });
            }
            Home::Pool { ledger, piece } => ledger.give_back(*piece),
        }
    }
}

/// A value on the heap to which the kernel holds a pointer: unlike a `Box` it may be moved about
/// without a claim that nobody else points to it.
#[derive(Debug)]
pub(crate) struct Parked<T>(NonNull<T>);

impl<T> Parked<T> {
    pub(crate) fn new(value: T) -> Parked<T> {
        Parked(NonNull::from(Box::leak(Box::new(value))))
    }

    pub(crate) fn as_ptr(&self) -> *mut T {
        self.0.as_ptr()
    }

    /// Only to be called when the kernel is done with it.
    pub(crate) fn get(&self) -> &T {
        // SAFETY: the value lives until this handle is dropped; by the contract of the call nobody
        // writes to it now.
        unsafe { self.0.as_ref() }
    }
}

impl<T> Drop for Parked<T> {
    fn drop(&mut self) {
        // SAFETY: made from a leaked box, and this is its only owner.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}
