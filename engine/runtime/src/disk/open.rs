//! How a file is opened.

/// For reading, if nothing else is asked for.
///
/// ```
/// use runtime::Open;
/// let segment = Open::read().write().create_new().direct();
/// # let _ = segment;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    write: bool,
    create: bool,
    create_new: bool,
    truncate: bool,
    direct: bool,
}

impl Open {
    /// For reading only.
    pub fn read() -> Open {
        Open { write: false, create: false, create_new: false, truncate: false, direct: false }
    }

    /// For writing too.
    pub fn write(self) -> Open {
        Open { write: true, ..self }
    }

    /// Makes the file if there is none.
    pub fn create(self) -> Open {
        Open { create: true, ..self }
    }

    /// Makes the file, and fails if there is one.
    pub fn create_new(self) -> Open {
        Open { create_new: true, ..self }
    }

    /// Throws away what the file holds.
    pub fn truncate(self) -> Open {
        Open { truncate: true, ..self }
    }

    /// Past the page cache: memory, position and length must be multiples of 4096.
    pub fn direct(self) -> Open {
        Open { direct: true, ..self }
    }

    /// `open(2)`'s flags.
    pub(crate) fn flags(self) -> i32 {
        let access = if self.write { libc::O_RDWR } else { libc::O_RDONLY };
        let flag = |wanted: bool, flag: i32| if wanted { flag } else { 0 };
        access
            | libc::O_CLOEXEC
            | flag(self.create, libc::O_CREAT)
            | flag(self.create_new, libc::O_CREAT | libc::O_EXCL)
            | flag(self.truncate, libc::O_TRUNC)
            | flag(self.direct, libc::O_DIRECT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wish_becomes_its_flag() {
        let check = |how: Open, flags: i32| assert_eq!(how.flags(), flags | libc::O_CLOEXEC);
        check(Open::read(), libc::O_RDONLY);
        check(Open::read().write(), libc::O_RDWR);
        check(Open::read().write().create(), libc::O_RDWR | libc::O_CREAT);
        check(Open::read().create_new(), libc::O_CREAT | libc::O_EXCL);
        check(
            Open::read().write().truncate().direct(),
            libc::O_RDWR | libc::O_TRUNC | libc::O_DIRECT,
        );
    }
}
