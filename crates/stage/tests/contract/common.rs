//! The two buses under test, the messages that travel over them, and waiting with a deadline.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use sightline_stage::bus::{Bus, DeadLetter, Delivery, Inbox, NatsConfig};
use sightline_testkit::NatsServer;
use sightline_vision::{ColorMatrix, ColorRange, Planes};
use sightline_wire::subject::Queue;
use sightline_wire::{
    CameraChange, CameraState, CaptureMode, ClockSource, Frame, FrameFaces, FrameId, FrameSize, IdentifyInput, Stamp,
    Utc, Wire,
};

/// How long something may take that normally takes no time at all; more than a message's acknowledgement deadline.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A moment in which nothing may happen.
pub(crate) const MOMENT: Duration = Duration::from_millis(300);

/// The site's name on the NATS server.
const NAME: &str = "contract";

/// Held while a server starts, and as long as one is down: a port that is free for a moment must not become another test's.
static PORTS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A bus under test, with the server behind it.
pub(crate) struct Site {
    pub(crate) bus: Bus,
    broker: Option<Broker>,
}

struct Broker {
    server: NatsServer,
    client: async_nats::Client,
    down: Option<tokio::sync::MutexGuard<'static, ()>>,
}

impl Site {
    pub(crate) fn memory() -> Self {
        Self { bus: Bus::memory(), broker: None }
    }

    /// On a server of its own.
    pub(crate) async fn nats() -> Self {
        let starting = PORTS.lock().await;
        let server = NatsServer::start().unwrap();
        drop(starting);
        let bus = connect(server.url()).await;
        let client = async_nats::connect(server.url()).await.unwrap();
        Self { bus, broker: Some(Broker { server, client, down: None }) }
    }

    /// The bus as another process has it.
    pub(crate) async fn peer(&self) -> Bus {
        match &self.broker {
            None => self.bus.clone(),
            Some(broker) => connect(broker.server.url()).await,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.broker.as_ref().unwrap().server.url()
    }

    pub(crate) async fn kill_server(&mut self) {
        let broker = self.broker.as_mut().unwrap();
        broker.down = Some(PORTS.lock().await);
        broker.server.kill().unwrap();
    }

    pub(crate) fn restart_server(&mut self) {
        let broker = self.broker.as_mut().unwrap();
        broker.server.restart().unwrap();
        broker.down = None;
    }

    /// The server as other programs see it.
    pub(crate) fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.broker.as_ref().unwrap().client.clone())
    }

    /// Messages of a queue, those on loan included.
    pub(crate) async fn stored<T: Wire>(&self, queue: &Queue) -> usize {
        if self.broker.is_none() {
            return self.bus.unfinished::<T>();
        }
        let mut stream = self.jetstream().get_stream(stream_name(queue)).await.unwrap();
        usize::try_from(stream.info().await.unwrap().state.messages).unwrap()
    }

    /// The dead letters, once there are `count`.
    pub(crate) async fn dead_letters(&self, count: usize) -> Vec<DeadLetter> {
        eventually("the dead letters are there", async || self.bus.dead_letters().await.unwrap().len() >= count).await;
        let letters = self.bus.dead_letters().await.unwrap();
        assert_eq!(letters.len(), count, "{letters:?}");
        letters
    }
}

pub(crate) async fn connect(url: String) -> Bus {
    Bus::nats(NatsConfig { url, credentials: None, site: NAME.to_owned() }).await.unwrap()
}

/// The JetStream stream of a queue.
pub(crate) fn stream_name(queue: &Queue) -> String {
    format!("sightline_{NAME}_{}", queue.name)
}

/// The subject under which a queue has the messages of a camera.
pub(crate) fn subject(queue: &Queue, camera: &str) -> String {
    format!("sightline.{NAME}.{}.{camera}", queue.name)
}

/// Ends a test that hangs.
pub(crate) async fn in_time(test: impl Future<Output = ()>) {
    let limit = Duration::from_secs(150);
    assert!(tokio::time::timeout(limit, test).await.is_ok(), "the test hangs: it did not end within {limit:?}");
}

/// Waits until something holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Runs `work` with a runtime of its own, and ends that with everything it had started: what a killed process leaves behind.
pub(crate) async fn as_killed_process<F, T>(work: F) -> T
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let life = move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let outcome = runtime.block_on(work);
        runtime.shutdown_timeout(Duration::from_secs(1));
        outcome
    };
    tokio::task::spawn_blocking(life).await.unwrap()
}

/// Pulls until `count` messages have come.
pub(crate) async fn take<T: Wire>(inbox: &mut Inbox<T>, count: usize) -> Vec<Delivery<T>> {
    let deadline = Instant::now() + PATIENCE;
    let mut taken = Vec::new();
    while taken.len() < count {
        assert!(Instant::now() < deadline, "{} of {count} messages within {PATIENCE:?}", taken.len());
        taken.extend(inbox.pull(count - taken.len(), MOMENT).await.unwrap());
    }
    taken
}

/// The next message.
pub(crate) async fn take_one<T: Wire>(inbox: &mut Inbox<T>) -> Delivery<T> {
    take(inbox, 1).await.remove(0)
}

/// Nothing comes for a moment.
pub(crate) async fn assert_nothing_comes<T: Wire>(inbox: &mut Inbox<T>) {
    let ids: Vec<String> = inbox.pull(16, MOMENT).await.unwrap().iter().map(|d| d.item.message_id()).collect();
    assert!(ids.is_empty(), "{ids:?}");
}

/// A small message with a number.
pub(crate) fn change(camera: &str, number: u64) -> IdentifyInput {
    change_with(camera, number, "the server does not answer".to_owned())
}

/// A message of any size.
pub(crate) fn change_with(camera: &str, number: u64, detail: String) -> IdentifyInput {
    IdentifyInput::Camera(CameraChange {
        camera: camera.parse().unwrap(),
        epoch: number,
        state: CameraState::Stalled,
        at: Utc::from_unix_ns(1_764_000_000_000_000_000),
        detail,
    })
}

/// The camera and the number of a small message.
pub(crate) fn number(message: &IdentifyInput) -> (String, u64) {
    match message {
        IdentifyInput::Camera(change) => (change.camera.to_string(), change.epoch),
        other => panic!("{other:?}"),
    }
}

fn stamp() -> Stamp {
    Stamp { capture: Utc::from_unix_ns(1_764_000_000_000_000_000), clock: ClockSource::File, pts_ns: 0 }
}

fn frame_id(camera: &str, seq: u64) -> FrameId {
    FrameId { camera: camera.parse().unwrap(), epoch: 1, seq }
}

/// A small frame.
pub(crate) fn frame(camera: &str, seq: u64, mode: CaptureMode) -> Frame {
    let samples = vec![128; 16 * 16 * 3 / 2];
    let planes = Planes::from_i420((16, 16), (ColorMatrix::Bt601, ColorRange::Limited), samples).unwrap();
    frame_of(camera, seq, mode, planes)
}

pub(crate) fn frame_of(camera: &str, seq: u64, mode: CaptureMode, planes: Planes) -> Frame {
    Frame { id: frame_id(camera, seq), stamp: stamp(), mode, planes }
}

/// The camera and the number of a frame.
pub(crate) fn frame_number(frame: &Frame) -> (String, u64) {
    (frame.id.camera.to_string(), frame.id.seq)
}

/// A frame without faces.
pub(crate) fn faces(camera: &str, seq: u64) -> FrameFaces {
    FrameFaces {
        frame: frame_id(camera, seq),
        stamp: stamp(),
        mode: CaptureMode::Live,
        size: FrameSize { width: 640, height: 360 },
        detector: Arc::from("centerface@0"),
        faces: Vec::new(),
    }
}
