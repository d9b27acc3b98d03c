//! The server: one thread, bounded bodies, stopped when its handle is dropped.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tokio::sync::watch;

use crate::door::{self, Door};
use crate::station::Station;
use crate::{control, events, page, read};

/// An order is a few lines.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// Reports are small, but several may come at once.
const REPORTS_BYTES_MAX: usize = 256 * 1024;

/// Who may come in where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doors {
    /// Whose orders are taken.
    pub orders: Door,
    /// Whose guards' reports are taken.
    pub reports: Door,
}

/// Why the console does not run.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The address cannot be used.
    #[error("cannot listen on the admin address {address}: {source}; choose another one (`admin.address`)")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The thread or its reactor could not be started.
    #[error("cannot start the console's thread: {0}")]
    Start(std::io::Error),
}

/// What every handler shares.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) station: Arc<dyn Station>,
    pub(crate) door: Arc<Door>,
    pub(crate) guards: Arc<Door>,
    stop: Arc<AtomicBool>,
}

impl Shared {
    pub(crate) fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The running console. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    stopped: watch::Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Where it listens (the port that was given out if port 0 was asked for).
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.stopped.send_replace(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Starts the console on `address`, on a thread of its own.
///
/// # Errors
/// If the address cannot be listened on, or the thread not be started.
pub fn serve(address: SocketAddr, doors: Doors, station: Arc<dyn Station>) -> Result<Server, ConsoleError> {
    let listen = |source| ConsoleError::Listen { address, source };
    let listener = TcpListener::bind(address).map_err(listen)?;
    listener.set_nonblocking(true).map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    let reactor = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ConsoleError::Start)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, mut stopping) = watch::channel(());
    let router =
        router(Shared { station, door: Arc::new(doors.orders), guards: Arc::new(doors.reports), stop: stop.clone() });
    let run = move || {
        reactor.block_on(async move {
            tokio::select! {
                () = accept(listener, router) => {}
                _ = stopping.changed() => {}
            }
        });
        // A handler that still waits for the engine must not hold up the end of the process.
        reactor.shutdown_background();
    };
    let thread = std::thread::Builder::new().name("console".into()).spawn(run).map_err(ConsoleError::Start)?;
    Ok(Server { address: bound, stop, stopped, thread: Some(thread) })
}

async fn accept(listener: TcpListener, router: Router) {
    let served = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).await,
        Err(error) => Err(error),
    };
    if let Err(error) = served {
        tracing::error!(%error, "the console stopped");
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/", get(page::page))
        .route("/graph", get(read::graph))
        .route("/findings", get(read::findings))
        .route("/commands", get(read::commands))
        .route("/status", get(read::status))
        .route("/pulses", get(read::pulses))
        .route("/summary", get(read::summary))
        .route("/events", get(events::events))
        .route("/metrics", get(read::metrics))
        .route("/health/livez", get(read::livez))
        .route("/health/readyz", get(read::readyz))
        .route("/control", get(control::control))
        .route("/orders", post(door::order))
        .route("/reports", post(control::reports).layer(DefaultBodyLimit::max(REPORTS_BYTES_MAX)))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}
