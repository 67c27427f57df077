//! The server: routes, layers, TLS, and its end.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{header, HeaderName, HeaderValue, Method};
use axum::middleware::{self, AddExtension};
use axum::routing::{get, post};
use axum::{Extension, Router};
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::Handle;
use hyper_util::rt::TokioTimer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{watch, OwnedSemaphorePermit, Semaphore};
use tower::{service_fn, Layer};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::decompression::RequestDecompressionLayer;
use tower_http::timeout::RequestBodyTimeoutLayer;
use tower_http::trace::{DefaultMakeSpan, DefaultOnResponse, TraceLayer};
use tracing::Level;

use super::auth::Tokens;
use super::budget::Budget;
use super::changed::Changed;
use super::dialect::{self, Counters};
use super::errors;
use super::limits::Limits;
use super::patience::Patience;
use super::presence::Presence;
use super::readers::{self, Readers};
use super::tls::Tls;
use super::writer::{Main, Writer};
use super::{drain, files, measures, meet, origin, overview, page, probes, pull, push, stream, Hub, Shared};
use crate::db::{self, Use};
use crate::file::Opened;

/// How often other processes' commits are looked for.
const POLL: Duration = Duration::from_millis(10);
/// How long requests under way may take when the hub stops.
const GRACE: Duration = Duration::from_secs(10);
/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(15);
/// Bytes that are read ahead of a connection, and of the head of a request at most: who sends it has not shown a token yet.
const BUFFER: usize = 64 << 10;
/// Limits beyond this are none.
const MOST: usize = Semaphore::MAX_PERMITS;

/// How a hub is to be.
pub struct Config {
    /// The database.
    pub database: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The path of the routes, such as `/sync`.
    pub base: String,
    /// Who may do what; everyone everything without it.
    pub tokens: Option<Tokens>,
    /// HTTPS.
    pub tls: Option<Tls>,
    /// Origins whose pages may ask; `*` for all.
    pub cors: Vec<String>,
    /// After which time without a sign of life a node has left.
    pub presence_ttl: Duration,
    /// Bytes of a request's body; of all of them, and of all answers.
    pub max_body: usize,
    pub max_bodies: usize,
    /// How long a client may neither send nor take a byte that is waited for.
    pub silence: Duration,
    /// Requests at work, streams, connections.
    pub max_requests: usize,
    pub max_streams: usize,
    pub max_connections: usize,
    /// Pushes that wait for their commit.
    pub max_waiting: usize,
    /// Connections that read.
    pub readers: usize,
}

/// Serves until it is told to stop.
pub async fn serve(config: Config) -> Result<(), String> {
    let (stop, stopped) = watch::channel(false);
    let database = &config.database;
    let io = |e: std::io::Error| e.to_string();
    let conn = db::open(database, Use::Write)?;
    let opened = Opened::at(database);
    let changed = Changed::start(db::open(database, Use::Read)?, POLL).map_err(io)?;
    let beside = db::open(database, Use::Read)?;
    let (writer, thread) =
        Writer::start(Main { conn, opened: opened.clone() }, beside, config.max_waiting.min(MOST), changed.nudge())
            .map_err(io)?;
    let limits = limits(&config);
    let hub = Arc::new(Hub {
        readers: Readers::new(opened.clone(), config.readers.min(MOST)),
        writer,
        changed,
        tokens: config.tokens,
        presence: Presence::new(config.presence_ttl),
        pages: super::pages::Pages::default(),
        peers: super::peers::Peers::default(),
        limits,
        measures: measures::start()?,
        stop: stopped,
        catalog: Mutex::default(),
        overview: overview::Cache::default(),
        readiness: probes::Readiness::default(),
        opened,
    });
    let tls = config.tls.as_ref().map(Tls::read).transpose()?;
    bind_filters(&hub).await;
    let sweeper = tokio::spawn(sweep(Arc::clone(&hub), config.presence_ttl / 2));
    let upkeep = tokio::spawn(measures::upkeep(hub.measures.clone()));
    let again = tokio::spawn(read_again(Arc::clone(&hub), tls.clone().zip(config.tls)));
    let handle = Handle::new();
    let ending = tokio::spawn(end(handle.clone(), stop));
    let url = if tls.is_some() { "https" } else { "http" };
    let told = tokio::spawn(tell(handle.clone(), format!("{url}://{{}}{}", config.base)));

    let app = router(Arc::clone(&hub), &config.base, &config.cors)?;
    let patience = Patience(config.silence);
    let connections = files::connections(config.max_connections, config.readers);
    let served = match tls {
        Some(tls) => {
            let acceptor = RustlsAcceptor::new(tls).acceptor(patience);
            listen(config.listen, acceptor, handle, app, connections).await
        }
        None => listen(config.listen, patience, handle, app, connections).await,
    };
    for task in [sweeper, upkeep, again, ending, told] {
        task.abort();
        drop(task.await);
    }
    // What was acknowledged is durable already; this lets the last commit end.
    drop(hub);
    let writer_ended = tokio::task::spawn_blocking(move || {
        let ended = thread.join();
        db::write_back(&config.database);
        ended
    });
    drop(tokio::time::timeout(GRACE, writer_ended).await);
    served.map_err(|e| format!("{}: {e}", config.listen))
}

fn limits(config: &Config) -> Limits {
    // A token's half has room for the longest body.
    let bodies = config.max_bodies.max(config.max_body.saturating_mul(2));
    Limits {
        body: config.max_body,
        bodies: Budget::new("bytes of request bodies", bodies),
        answers: Budget::new("bytes of answers on their way", bodies),
        requests: Budget::new("requests at work", config.max_requests),
        streams: Budget::new("streams", config.max_streams),
        silence: config.silence,
    }
}

/// What answers on one connection: the routes, and the connection's permit.
type OnConnection = AddExtension<Router, Arc<OwnedSemaphorePermit>>;

async fn listen<A>(
    to: SocketAddr,
    acceptor: A,
    handle: Handle<SocketAddr>,
    app: Router,
    connections: usize,
) -> std::io::Result<()>
where
    A: Accept<TcpStream, OnConnection, Service = OnConnection> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send,
    A::Future: Send,
{
    let permits = Arc::new(Semaphore::new(connections.min(MOST)));
    // A connection holds its permit with its service; without one it is closed at once.
    let services = service_fn(move |_: SocketAddr| {
        let permit = Arc::clone(&permits).try_acquire_owned();
        let service = permit.map(|permit| Extension(Arc::new(permit)).layer(app.clone()));
        std::future::ready(service)
    });
    let mut server = axum_server::bind(to).acceptor(acceptor).handle(handle).http1_only();
    server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(BUFFER);
    server.serve(services).await
}

fn router(hub: Shared, base: &str, origins: &[String]) -> Result<Router, String> {
    let api: Router<Shared> = Router::new()
        .route("/pull", post(pull::pull))
        .route("/push", post(push::push))
        .route("/presence", get(meet::snapshot).post(meet::update))
        .route("/status", get(overview::overview))
        .route("/stream", get(stream::stream));
    let operations = api.clone().layer(Extension(Counters::Operations));
    let app = Router::new()
        .route("/health", get(probes::health))
        .route("/ready", get(probes::ready))
        .route("/metrics", get(measures::metrics))
        .merge(page::routes(base))
        .nest(&format!("{base}/ops"), operations);
    let app = if base.is_empty() { app.merge(api) } else { app.nest(base, api) };
    let silence = hub.limits.silence;
    let app = match hub.tokens {
        Some(_) => app,
        None => app.layer(middleware::from_fn_with_state(Arc::from(origins), origin::guard)),
    };
    let app = app
        .fallback(errors::not_found)
        .method_not_allowed_fallback(errors::wrong_method)
        .with_state(hub)
        .layer(RequestDecompressionLayer::new())
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn(errors::dress))
        .layer(CompressionLayer::new())
        .layer(RequestBodyTimeoutLayer::new(silence))
        .layer(middleware::from_fn(drain::drain))
        .layer(CatchPanicLayer::new());
    let app = match cors(origins)? {
        Some(cors) => app.layer(cors),
        None => app,
    };
    let app = app
        .layer(
            TraceLayer::new_for_http()
                .make_span_with(DefaultMakeSpan::new().level(Level::INFO))
                .on_response(DefaultOnResponse::new().level(Level::DEBUG))
                // What fails is told where it fails; a limit that is reached is no failure.
                .on_failure(()),
        )
        .layer(middleware::from_fn(measures::count));
    Ok(app)
}

fn cors(origins: &[String]) -> Result<Option<CorsLayer>, String> {
    if origins.is_empty() {
        return Ok(None);
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let origins: Result<Vec<HeaderValue>, _> = origins.iter().map(|origin| origin.parse()).collect();
        AllowOrigin::list(origins.map_err(|e| format!("--cors: {e}"))?)
    };
    let headers = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::CONTENT_ENCODING,
        HeaderName::from_static("last-event-id"),
        HeaderName::from_static(dialect::HEADER),
    ];
    Ok(Some(
        CorsLayer::new()
            .allow_origin(allowed)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(headers)
            .expose_headers([header::RETRY_AFTER])
            .max_age(Duration::from_secs(3600)),
    ))
}

async fn bind_filters(hub: &Hub) {
    let scopes = hub.tokens.as_ref().map(Tokens::scopes).unwrap_or_default();
    if let Err(e) = hub.readers.run(move |conn| readers::bind_filters(conn, &scopes)).await {
        tracing::error!("the filters of tokens could not be checked: {}", e.message);
    }
}

/// Has nodes leave that were not heard of.
async fn sweep(hub: Shared, every: Duration) {
    loop {
        tokio::time::sleep(every.max(Duration::from_millis(10))).await;
        hub.presence.sweep();
    }
}

/// Tells where the hub listens.
async fn tell(handle: Handle<SocketAddr>, url: String) {
    if let Some(address) = handle.listening().await {
        let line = format!("listening on {}", url.replace("{}", &address.to_string()));
        // Whoever started the hub may not want to know.
        drop(writeln!(std::io::stdout(), "{line}"));
    }
}

/// On SIGHUP reads tokens and certificate again.
async fn read_again(hub: Shared, tls: Option<(RustlsConfig, Tls)>) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{signal, SignalKind};
        let Ok(mut hangups) = signal(SignalKind::hangup()) else { return };
        while hangups.recv().await.is_some() {
            if let Some(tokens) = &hub.tokens {
                tokens.read_again();
                bind_filters(&hub).await;
            }
            if let Some((config, files)) = &tls {
                files.read_again(config);
            }
        }
    }
    #[cfg(not(unix))]
    drop((hub, tls));
}

/// Ends the server when it is told to: streams at once, requests when they are done.
async fn end(handle: Handle<SocketAddr>, stop: watch::Sender<bool>) {
    crate::signals::stop().await;
    tracing::info!("stopping");
    handle.graceful_shutdown(Some(GRACE));
    let _ = stop.send(true);
    // The streams watch this: it is not dropped before the server has ended.
    std::future::pending::<()>().await;
}
