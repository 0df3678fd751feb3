//! The HTTP listener of every process: bounded in connections, and in how long a client may take to say what it wants.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::shutdown::Shutdown;

/// Open connections; more wait in the system's queue. Event streams and scrapers of a large site stay far below.
const CONNECTIONS: usize = 1024;

/// The head of a request must be there by then; a connection that stays silent is closed as well.
const HEAD_WITHIN: Duration = Duration::from_secs(15);

/// After a failed accept, which means that the process has no file descriptors left.
const BREATHER: Duration = Duration::from_millis(100);

/// Serves a router until the shutdown; requests under way may finish.
pub async fn serve(listener: TcpListener, router: Router, shutdown: Shutdown) {
    serve_within(listener, router, HEAD_WITHIN, shutdown).await;
}

async fn serve_within(listener: TcpListener, router: Router, head_within: Duration, shutdown: Shutdown) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let under_way = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = shutdown.cancelled() => break,
        };
        let Some((stream, place)) = accepted else { continue };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head_within)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let connection = under_way.watch(connection);
        tokio::spawn(async move {
            let _place = place;
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
    under_way.shutdown().await;
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(error) => {
            tracing::warn!(%error, "a connection could not be accepted");
            tokio::time::sleep(BREATHER).await;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::serve_within;
    use crate::shutdown::Shutdown;

    #[tokio::test]
    async fn a_client_that_does_not_finish_its_head_is_cut_off_and_others_are_served() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let router = Router::new().route("/", get(async || "here"));
        let serving = tokio::spawn(serve_within(listener, router, Duration::from_millis(500), shutdown.clone()));
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
        let mut quick = TcpStream::connect(address).await.unwrap();
        quick.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        quick.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
        let begin = Instant::now();
        let mut rest = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(10), slow.read_to_end(&mut rest)).await;
        assert!(read.is_ok(), "still open after {:?}", begin.elapsed());
        shutdown.trigger();
        tokio::time::timeout(Duration::from_secs(5), serving).await.unwrap().unwrap();
    }
}
