//! A broker's life on each of its shards: open, start together, serve, and stop in order.

use std::cell::{OnceCell, RefCell};
use std::fmt;
use std::rc::Rc;

use runtime::sync::Event;
use runtime::{
    DirLock, Incoming, Instant, Lane, Level, MeshPort, RuntimeConfig, Shard, ShardId, ShardsWanted,
    Shutdown, Snapshot, StartError, memory_bytes, run_shards, shard_count,
};
use storage::Layout;
use storage::{LogId, Store, StoreConfig, StoreError};

use crate::config::{Config, Shards};
use crate::controller::{Advertised, Controller, METADATA_LOG};
use crate::data_folder::{self, DataFolder, FolderError};
use crate::descriptors::Descriptors;
use crate::listener;
use crate::memory_plan::{MemoryPlan, TooLittleMemory};
use crate::message::{Reply, Request};
use crate::observe::{Observer, ShardDesk, observer, start_answering};
use crate::owner::append::start_queue;
use crate::owner::log_config;
use crate::owner::watch::start_news;
use crate::router::ask;
use crate::shard::{Core, MESH_LIMITS, ShardMesh};

/// Why a broker did not start.
#[derive(Debug)]
pub enum BrokerError {
    /// The data folder can't be used.
    Folder(FolderError),
    /// The kernel does not give what shards need.
    Start(StartError),
    /// They may not hold what they need.
    Memory(TooLittleMemory),
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BrokerError::Folder(e) => e.fmt(f),
            BrokerError::Start(e) => e.fmt(f),
            BrokerError::Memory(e) => e.fmt(f),
        }
    }
}

impl std::error::Error for BrokerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BrokerError::Folder(e) => Some(e),
            BrokerError::Start(e) => Some(e),
            BrokerError::Memory(e) => Some(e),
        }
    }
}

/// What one shard starts with.
pub struct ShardStart {
    config: Snapshot<Config>,
    port: MeshPort<Request, Reply>,
    lock: Option<DirLock>,
    /// When the process began, if the shard does not begin with it.
    process_began: Option<Instant>,
    /// Where those who watch the broker ask, if somebody does.
    desk: Option<ShardDesk>,
    /// What it may hold.
    memory: MemoryPlan,
}

/// What each of `count` shards starts with, in their order, on a machine that has `machine_bytes`
/// of memory, as far as is known. In the simulator there is no lock: the node itself waits for what
/// a killed one had in flight.
pub fn shard_starts(
    config: &Config,
    count: u16,
    machine_bytes: Option<u64>,
    lock: Option<&DirLock>,
) -> Result<Vec<ShardStart>, TooLittleMemory> {
    let memory = MemoryPlan::of(config, count, machine_bytes)?;
    let config = Snapshot::new(config.clone());
    let start = |port| ShardStart {
        config: config.clone(),
        port,
        lock: lock.cloned(),
        process_began: None,
        desk: None,
        memory,
    };
    Ok(ShardMesh::ports(count, MESH_LIMITS).into_iter().map(start).collect())
}

/// Runs a broker until it is asked to stop. The caller has locked the data folder; `layout` is the
/// folder's, if it has one: the number of shards in it beats the number of cores. The process runs
/// since `began`. `watch` gets, before the first shard starts, what other threads may ask them by.
pub fn run(
    config: &Config,
    layout: Option<Layout>,
    lock: &DirLock,
    shutdown: Shutdown,
    began: Instant,
    watch: impl FnOnce(Observer),
) -> Result<(), BrokerError> {
    let wanted = match (config.shards, layout) {
        (Shards::Exactly(wanted), Some(Layout { shard_count: there, .. })) if there != wanted => {
            return Err(BrokerError::Folder(FolderError::Shards { there, wanted }));
        }
        (Shards::Exactly(count), _) => ShardsWanted::Exactly(count),
        (Shards::Auto, Some(layout)) => ShardsWanted::Exactly(layout.shard_count),
        (Shards::Auto, None) => ShardsWanted::Auto,
    };
    let count = shard_count(wanted);
    let runtime = RuntimeConfig {
        shards: ShardsWanted::Exactly(count),
        driver: config.driver,
        chunk_memory_bytes: u64::from(count) * config.tail_bytes,
        ..RuntimeConfig::default()
    };
    let starts = shard_starts(config, count, memory_bytes(), Some(lock));
    let mut starts = starts.map_err(BrokerError::Memory)?;
    let (observer, desks) = observer(count);
    for (start, desk) in starts.iter_mut().zip(desks) {
        (start.process_began, start.desk) = (Some(began), Some(desk));
    }
    watch(observer);
    run_shards(runtime, shutdown, starts, run_shard).map_err(BrokerError::Start)
}

/// One shard's whole life.
pub async fn run_shard(shard: Shard, start: ShardStart) {
    let began = shard.now();
    let ShardStart { config, port, lock, process_began, desk, memory } = start;
    if let Some(lock) = &lock
        && let Err(e) = shard.hold(lock)
    {
        shard.fatal(&format_args!("the data folder's lock can't be registered: {e}"));
    }
    if let (ShardId(0), Some(beyond)) = (shard.id(), memory.beyond) {
        shard.log(Level::Warn, format_args!("{beyond}"));
    }
    let doorstep = Rc::new(Doorstep::default());
    if let Some(desk) = desk {
        let observed = doorstep.clone();
        start_answering(&shard, desk, move || observed.core.get().cloned());
    }
    let serving = doorstep.clone();
    let mesh = port.attach(&shard, move |incoming| serving.take(incoming));
    let folder = prepare_folder(&shard, &config, &mesh, &doorstep).await;
    let store = match open_store(&shard, &config, &memory).await {
        Ok(store) => store,
        Err(e) => shard.fatal(&format_args!("{}: {e}", config.data_folder.display())),
    };
    let recovered = shard.now().since(began).as_millis();
    let logs: Vec<LogId> =
        store.logs().iter().map(|log| log.id()).filter(|id| *id != METADATA_LOG).collect();
    let line = format_args!("storage is open with {} logs after {recovered} ms", logs.len());
    shard.log(Level::Info, line);
    let core = Core::new(&shard, config, store, mesh, memory, process_began.unwrap_or(began));
    start_queue(&core);
    start_news(&core);
    let watching = core.clone();
    core.spawn("slow requests", async move {
        watching.request_memory.watch(&watching.shard).await;
    });
    if let Some(folder) = &folder {
        match Controller::open(&core, folder.layout).await {
            Ok(controller) => core.appoint(controller),
            Err(e) => shard.fatal(&e),
        }
    }
    doorstep.open(&core);
    let _told = ask(core.clone(), ShardId(0), Lane::Control, Request::LogsFound(logs)).await;
    if let (Some(controller), Some(folder)) = (core.controller(), &folder) {
        start_together(&core, controller, folder).await;
    }
    shard.shutdown_requested().await;
    stop(&core).await;
}

/// Where requests of other shards wait until this one can serve them.
#[derive(Default)]
struct Doorstep {
    core: OnceCell<Rc<Core>>,
    /// Bounded by the mesh's credits.
    waiting: RefCell<Vec<Incoming<Request, Reply>>>,
    folder_is_ready: Event,
}

impl Doorstep {
    fn take(&self, incoming: Incoming<Request, Reply>) {
        match (self.core.get(), &incoming.request) {
            (_, Request::FolderReady) => {
                self.folder_is_ready.set();
                incoming.reply.send(Reply::Done);
            }
            (Some(core), _) => core.serve(incoming),
            (None, _) => self.waiting.borrow_mut().push(incoming),
        }
    }

    fn open(&self, core: &Rc<Core>) {
        assert!(self.core.set(core.clone()).is_ok(), "a shard opens once");
        for incoming in self.waiting.take() {
            core.serve(incoming);
        }
    }
}

/// Shard 0 makes or checks the folder, and the others wait for its word: nothing may be written
/// into a folder that belongs to another broker or another number of shards, or that is not whole.
/// Returns what it found, on shard 0.
async fn prepare_folder(
    shard: &Shard,
    config: &Config,
    mesh: &Rc<ShardMesh>,
    doorstep: &Doorstep,
) -> Option<DataFolder> {
    if shard.id() != ShardId(0) {
        doorstep.folder_is_ready.wait().await;
        return None;
    }
    match data_folder::prepare(shard, &config.data_folder, config.broker).await {
        Ok(found) => {
            for other in 1..shard.count() {
                let told = mesh.call(ShardId(other), Lane::Control, Request::FolderReady);
                // A shard that does not answer is ending, and the process with it.
                let _told = told.await;
            }
            Some(found)
        }
        Err(e) => shard.fatal(&e),
    }
}

async fn open_store(
    shard: &Shard,
    config: &Config,
    memory: &MemoryPlan,
) -> Result<Store, OpenStoreError> {
    let file_system = data_folder::file_system(shard, &config.data_folder).await;
    let file_system = file_system.map_err(OpenStoreError::Folder)?;
    let journal = config.journal();
    let store = StoreConfig {
        open_files_max: Descriptors::of(shard, &journal).store_max,
        journal,
        disk_reserve_bytes: config.disk_reserve_bytes,
        producers_max: memory.producers_max,
        // Until what topics have is known.
        log: log_config(&config.topic, config),
        ..StoreConfig::default()
    };
    let opened = Store::open(shard, &config.data_folder, file_system, store).await;
    opened.map_err(OpenStoreError::Store)
}

/// Why a shard's storage is not there.
enum OpenStoreError {
    Folder(FolderError),
    Store(StoreError),
}

impl fmt::Display for OpenStoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenStoreError::Folder(e) => e.fmt(f),
            OpenStoreError::Store(e) => e.fmt(f),
        }
    }
}

/// Shard 0 brings all shards up, and then lets clients in everywhere.
async fn start_together(core: &Rc<Core>, controller: &Controller, folder: &DataFolder) {
    let config = &core.config;
    let wanted = match config.listener.to_bind() {
        Ok(addr) => addr,
        Err(e) => core.shard.fatal(&format_args!("listeners={}: {e}", config.listener)),
    };
    controller.all_found().await;
    if let Err(e) = data_folder::finish(&core.shard, &config.data_folder, folder).await {
        core.shard.fatal(&e);
    }
    let Some(listener) = listener::claim(core, wanted).await else { return };
    // With port 0 the system has chosen.
    let addr = listener.local_addr();
    let port = match config.advertised.port {
        0 => addr.port(),
        port => port,
    };
    let host = config.advertised.host.clone();
    let advertised = format!("{host}:{port}");
    if let Err(e) = controller.start(core, Advertised { host, port }).await {
        core.shard.fatal(&format_args!("the broker can't register itself: {e}"));
    }
    controller.open_other_listeners(core, addr).await;
    // It was the first to listen, and the last to serve: connections spread from the start.
    listener::serve(core, listener);
    let ready_ms = core.shard.now().since(core.began).as_millis();
    let line = format_args!(
        "broker {} listens at {addr}, clients are told {advertised}; ready after {ready_ms} ms",
        config.broker.0
    );
    core.log(Level::Info, line);
}

/// Connections first, then the other shards' requests, then the disk: what was begun is finished.
async fn stop(core: &Rc<Core>) {
    core.log(Level::Info, format_args!("stopping"));
    listener::drain(core).await;
    let _all_drained = ask(core.clone(), ShardId(0), Lane::Control, Request::Drained).await;
    if let Some(controller) = core.controller() {
        controller.stop();
    }
    core.store.stop().await;
    core.log(Level::Info, format_args!("stopped"));
}
