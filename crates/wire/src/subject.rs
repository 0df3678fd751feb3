//! The subject table: for every message its queue, what the queue promises, and how the message is addressed.
//!
//! Both transports are built from these rows, so that what is promised in one process holds over NATS too.

use bytes::Bytes;

/// Why bytes are no message, or a message cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not protobuf, or cut off.
    #[error("{message} cannot be read: {reason}")]
    Malformed {
        /// Which message was expected.
        message: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// Readable, but a field breaks its rule.
    #[error("{message}.{field}: {reason}")]
    Invalid {
        /// Which message.
        message: &'static str,
        /// Which field.
        field: &'static str,
        /// Which rule.
        reason: String,
    },
    /// A picture inside could not be encoded.
    #[error("{message}: {reason}")]
    Encode {
        /// Which message.
        message: &'static str,
        /// What the encoder said.
        reason: String,
    },
}

/// Where a stream keeps its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Lost with the broker: frames.
    Memory,
    /// On disk, synced before the acknowledgement.
    File,
}

/// What happens to a publish when the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest of the same key goes; the loss is counted.
    DiscardOldest,
    /// The producer waits.
    Wait,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Name of the queue; upper case it is the JetStream stream, as given it is the first token of the subject.
    pub name: &'static str,
    /// Where messages are kept.
    pub storage: Storage,
    /// Most messages a key (camera) may have waiting; 0 for no limit of its own.
    pub per_key: usize,
    /// Most messages in all.
    pub capacity: usize,
    /// Full: drop or wait.
    pub when_full: WhenFull,
    /// Messages older than this are dropped by the queue (counted as `stale`); zero keeps them for ever.
    pub max_age: std::time::Duration,
}

/// Live frames: newest wins, two for each camera.
pub const LIVE_FRAMES: Queue = Queue {
    name: "frames",
    storage: Storage::Memory,
    per_key: 2,
    capacity: 4096,
    when_full: WhenFull::DiscardOldest,
    max_age: std::time::Duration::from_secs(2),
};

/// Frames of recordings: every one counts, the producer waits.
pub const COMPLETE_FRAMES: Queue = Queue {
    name: "recorded",
    storage: Storage::Memory,
    per_key: 0,
    capacity: 8,
    when_full: WhenFull::Wait,
    max_age: std::time::Duration::ZERO,
};

/// Faces of frames, for the tracker.
pub const FACES: Queue = Queue {
    name: "faces",
    storage: Storage::File,
    per_key: 0,
    capacity: 512,
    when_full: WhenFull::Wait,
    max_age: std::time::Duration::ZERO,
};

/// Crops to embed.
pub const CROPS: Queue = Queue {
    name: "crops",
    storage: Storage::File,
    per_key: 0,
    capacity: 4096,
    when_full: WhenFull::Wait,
    max_age: std::time::Duration::ZERO,
};

/// Vectors, rejections, visit notes and camera changes, for identify.
pub const VISITS: Queue = Queue {
    name: "visits",
    storage: Storage::File,
    per_key: 0,
    capacity: 16_384,
    when_full: WhenFull::Wait,
    max_age: std::time::Duration::ZERO,
};

/// Every row.
pub const TABLE: [Queue; 5] = [LIVE_FRAMES, COMPLETE_FRAMES, FACES, CROPS, VISITS];

/// A message that can travel on the bus.
pub trait Wire: Clone + Send + Sync + Sized + 'static {
    /// Name used in errors, logs and dead letters.
    const NAME: &'static str;

    /// The queues a consumer of this message reads; more than one where the message says which it belongs to.
    const QUEUES: &'static [Queue];

    /// The queue of this very message; one of [`Wire::QUEUES`].
    fn queue(&self) -> Queue;

    /// The key within the queue: the camera.
    fn key(&self) -> &str;

    /// The same for the same content, different for different messages of the queue: de-duplication id.
    fn message_id(&self) -> String;

    /// When and by which clock the frame behind it was captured, where there is one.
    fn stamp(&self) -> Option<crate::time::Stamp> {
        None
    }

    /// As protobuf; pictures are encoded as JPEG here.
    ///
    /// # Errors
    /// [`WireError::Encode`] when a picture cannot be encoded.
    fn encode(&self) -> Result<Bytes, WireError>;

    /// From protobuf, checked.
    ///
    /// # Errors
    /// [`WireError::Malformed`] or [`WireError::Invalid`] naming the field.
    fn decode(bytes: &[u8]) -> Result<Self, WireError>;
}
