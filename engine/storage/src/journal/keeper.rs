//! The background task that makes files for the ring before they are needed, and removes odd ones.

use super::Inner;
use super::error::file_path;
use super::ring::make_file;
use crate::shortage::Shortage;
use runtime::Level;
use std::rc::Rc;
use std::time::Duration;

/// How long to wait for space or a descriptor before a file is tried again.
const RETRY: Duration = Duration::from_secs(1);

pub(super) async fn keep(inner: Rc<Inner>) {
    let mut lacks = None;
    loop {
        let wanted = || inner.commits.borrow().wants_keeper().then_some(());
        inner.wanted.wait_until(wanted).await;
        remove_retired(&inner).await;
        if inner.commits.borrow().wants_file() {
            lacks = grow(&inner, lacks).await;
        }
    }
}

/// Tries to make a file. Answers with what is short; `lacked` is what was at the last try, as that
/// has been said.
async fn grow(inner: &Rc<Inner>, lacked: Option<Shortage>) -> Option<Shortage> {
    let number = inner.commits.borrow_mut().ring.take_number();
    let size_bytes = inner.config.file_bytes;
    match make_file(&inner.shard, &inner.dir, number, size_bytes).await {
        Ok(file) => {
            inner.commits.borrow_mut().ring.add(number, size_bytes, file);
            inner.room.wake_all();
            None
        }
        Err(e) => {
            let Some(shortage) = e.shortage() else {
                inner.shard.fatal(&format_args!(
                    "making {}: {}; check the disk, then start again",
                    e.path.display(),
                    e.error
                ))
            };
            // The ring goes on in the files that it has; only its growth waits.
            if lacked != Some(shortage) {
                inner.shard.log(Level::Warn, format_args!("{}", shortage.for_file(&e.path)));
            }
            inner.shard.sleep(RETRY).await;
            // One that is not wanted any more is not waited for: the next is another story.
            inner.commits.borrow().wants_file().then_some(shortage)
        }
    }
}

async fn remove_retired(inner: &Rc<Inner>) {
    let retired = inner.commits.borrow_mut().ring.take_retired();
    for file in retired {
        let path = file_path(&inner.dir, file.number);
        if let Err(error) = inner.shard.disk().remove_file(&path).await {
            // It only takes space; the next start finds it again.
            let line = format_args!("removing {}: {error}", path.display());
            inner.shard.log(Level::Warn, line);
        }
    }
}
