//! The HTTP door: JSON API, server-sent events, problem details.
