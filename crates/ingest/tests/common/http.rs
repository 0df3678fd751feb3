//! A camera that speaks HTTP: pictures as JPEG in one answer that never ends.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sightline_vision::{RgbImage, Subsampling, encode_rgb};

/// Ten pictures a second.
const INTERVAL: Duration = Duration::from_millis(100);

/// Serves `/mjpeg` on loopback until dropped.
pub(crate) struct MjpegCamera {
    port: u16,
    stop: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    accepting: Option<JoinHandle<()>>,
}

/// How it behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// What the `Authorization` header must be, if anything.
    pub(crate) login: Option<&'static str>,
    /// Pictures after which it closes the connection.
    pub(crate) pictures: usize,
}

impl MjpegCamera {
    pub(crate) fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, connections) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&connections));
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                counted.fetch_add(1, Ordering::Relaxed);
                let stopped = Arc::clone(&stopped);
                // Whoever watches may leave in the middle of a picture.
                std::thread::spawn(move || drop(stream.and_then(|stream| answer(stream, manners, &stopped))));
            }
        });
        Self { port, stop, connections, accepting: Some(accepting) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.port)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

impl Drop for MjpegCamera {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for a connection.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(accepting) = self.accepting.take() {
            drop(accepting.join());
        }
    }
}

fn answer(mut stream: TcpStream, manners: Manners, stop: &AtomicBool) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let authorized = manners.login.is_none_or(|login| head.contains(&format!("Authorization: {login}\r\n")));
    if !head.starts_with("GET /mjpeg ") {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    }
    if !authorized {
        let refusal =
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"camera\"\r\nContent-Length: 0\r\n\r\n";
        return stream.write_all(refusal.as_bytes());
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=picture\r\n\r\n")?;
    for number in 0..manners.pictures {
        if stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let shade = u8::try_from(number % 200).unwrap_or(0);
        let jpeg = encode_rgb(&RgbImage::filled(320, 240, [shade, 100, 200]), 80, Subsampling::Half).unwrap();
        write!(stream, "--picture\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len())?;
        stream.write_all(&jpeg)?;
        stream.write_all(b"\r\n")?;
        std::thread::sleep(INTERVAL);
    }
    Ok(())
}
