//! Synthetic cameras, an RTSP server, a nats-server on a free port, golden data.
