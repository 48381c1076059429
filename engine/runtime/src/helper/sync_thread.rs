//! The thread that syncs whole file systems, so that nobody else waits for one of them.
//!
//! A `syncfs` waits for what strangers wrote, for seconds or for minutes, and one beside it would
//! wait for the same. So there is one at a time: whoever asks meanwhile is served, together with
//! all others, by the next one, which begins after they asked. While one is late nobody is let in:
//! it is of more use to sync file by file than to wait.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Called with the error's number, if there is an error.
type Done = Box<dyn FnOnce(Result<(), i32>) + Send>;

/// A handle of the thread.
pub(super) struct SyncThread {
    shared: Arc<Shared>,
    late_after: Duration,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    filled: Condvar,
}

#[derive(Default)]
struct State {
    running_since: Option<Instant>,
    /// By path, as one sync serves all who ask for it. Bounded by the tasks that wait.
    waiting: BTreeMap<PathBuf, Vec<Done>>,
}

impl SyncThread {
    /// Starts the thread, which never ends. `sync` is what it does with a path.
    pub(super) fn start(
        late_after: Duration,
        sync: impl Fn(&Path) -> io::Result<()> + Send + 'static,
    ) -> SyncThread {
        let shared = Arc::new(Shared::default());
        let serving = shared.clone();
        let thread = thread::Builder::new().name("ringmain-syncfs".to_owned());
        let started = thread.spawn(move || {
            loop {
                serving.serve(&sync);
            }
        });
        started.expect("a process that runs shards can start one more thread");
        SyncThread { shared, late_after }
    }

    /// Syncs the file system that holds the path, with `EBUSY` for an answer while one is late.
    pub(super) fn submit(&self, path: PathBuf, done: Done) {
        let mut state = self.shared.lock();
        if state.running_since.is_some_and(|since| since.elapsed() >= self.late_after) {
            drop(state);
            return done(Err(libc::EBUSY));
        }
        state.waiting.entry(path).or_default().push(done);
        drop(state);
        self.shared.filled.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One round: everybody who waits.
    fn serve(&self, sync: &impl Fn(&Path) -> io::Result<()>) {
        let mut state = self.lock();
        while state.waiting.is_empty() {
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let waiting = std::mem::take(&mut state.waiting);
        state.running_since = Some(Instant::now());
        drop(state);
        for (path, served) in waiting {
            let result = sync(&path).map_err(|e| e.raw_os_error().unwrap_or(libc::EIO));
            for done in served {
                done(result);
            }
        }
        self.lock().running_since = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A thread whose syncs wait for a word, and tell when they begin.
    fn start(late_after: Duration) -> (SyncThread, Receiver<PathBuf>, Sender<io::Result<()>>) {
        let (began, begins) = channel();
        let (release, released) = channel::<io::Result<()>>();
        let sync = move |path: &Path| {
            began.send(path.to_path_buf()).expect("the test listens");
            released.recv().expect("the test releases it")
        };
        (SyncThread::start(late_after, sync), begins, release)
    }

    fn ask(thread: &SyncThread, path: &str) -> Receiver<Result<(), i32>> {
        let (answer, answered) = channel();
        let done = move |result| answer.send(result).expect("the test listens");
        thread.submit(path.into(), Box::new(done));
        answered
    }

    #[test]
    fn whoever_asks_during_a_sync_is_served_by_the_next_all_by_one() {
        let (thread, begins, release) = start(Duration::MAX);
        let first = ask(&thread, "/a");
        assert_eq!(begins.recv().unwrap(), Path::new("/a"));
        let (second, third) = (ask(&thread, "/a"), ask(&thread, "/a"));
        release.send(Ok(())).unwrap();
        assert_eq!(first.recv().unwrap(), Ok(()));
        assert_eq!(begins.recv().unwrap(), Path::new("/a"));
        assert!(second.try_recv().is_err() && third.try_recv().is_err(), "it began before them");
        release.send(Err(io::Error::from_raw_os_error(libc::EIO))).unwrap();
        assert_eq!((second.recv().unwrap(), third.recv().unwrap()), (Err(5), Err(5)));
        // The next that begins is the next that is asked for: the two had one in all.
        let last = ask(&thread, "/b");
        assert_eq!(begins.recv().unwrap(), Path::new("/b"));
        release.send(Ok(())).unwrap();
        assert_eq!(last.recv().unwrap(), Ok(()));
    }

    #[test]
    fn nobody_waits_for_one_that_is_late() {
        let (thread, begins, release) = start(Duration::ZERO);
        let late = ask(&thread, "/a");
        begins.recv().unwrap();
        assert_eq!(ask(&thread, "/a").recv().unwrap(), Err(libc::EBUSY));
        release.send(Ok(())).unwrap();
        assert_eq!(late.recv().unwrap(), Ok(()));
    }
}
