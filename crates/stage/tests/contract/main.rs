//! The contract of the bus and of what is built on it, held against both transports.
//!
//! Every test body is written once and takes a [`common::Site`]; [`on_both_buses`] runs it over memory and over a real
//! nats-server of its own. What only a broker can do (vanish, hold foreign bytes) is tested over NATS alone.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "test bodies and their helpers: a panic is a failed test")]

/// Makes of each named test body one test over memory and one over NATS.
macro_rules! on_both_buses {
    ($($body:ident),+ $(,)?) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $body() {
                    $crate::common::in_time(super::$body($crate::common::Site::memory())).await;
                }
            )+
        }

        over_nats!($($body),+);
    };
}

/// Makes of each named test body one test over NATS.
macro_rules! over_nats {
    ($($body:ident),+ $(,)?) => {
        mod nats {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $body() {
                    $crate::common::in_time(super::$body($crate::common::Site::nats().await)).await;
                }
            )+
        }
    };
}

mod careful;
mod common;
mod lease;
mod members;
mod outage;
mod picture;
mod poison;
mod queue;
mod redelivery;
mod roll_call;
mod runner;
mod service;
mod table;
