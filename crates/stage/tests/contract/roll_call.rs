//! The roll call: who does a stage is heard at once, and asking leaves nothing on the broker.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use sightline_stage::Shutdown;
use sightline_stage::bus::NatsConfig;
use sightline_stage::roll_call::{Roll, call};

use crate::common::{Site, eventually};

over_nats!(who_is_absent_is_known, who_hangs_is_known, asking_makes_nothing);

fn named(site: &Site, name: &str) -> NatsConfig {
    NatsConfig { url: site.url(), credentials: None, site: name.to_owned() }
}

async fn who_is_absent_is_known(site: Site) {
    let ask = async || {
        let roll = call(named(&site, "contract"), &["detect", "track"]).await.unwrap();
        assert!(roll.silent.is_empty(), "{roll:?}");
        roll.absent
    };
    let began = Instant::now();
    assert_eq!(ask().await, ["detect", "track"]);
    assert!(began.elapsed() < Duration::from_secs(9), "said at once, not after {:?}", began.elapsed());
    let (first, second) = (Shutdown::new(), Shutdown::new());
    site.bus.answer_for("track", first.clone()).await.unwrap();
    site.peer().await.answer_for("track", second.clone()).await.unwrap();
    eventually("track is heard", async || ask().await == ["detect"]).await;
    first.trigger();
    second.trigger();
    eventually("nobody is left", async || ask().await == ["detect", "track"]).await;
}

async fn who_hangs_is_known(site: Site) {
    site.bus.answer_for("embed", Shutdown::new()).await.unwrap();
    // Listens, and says nothing.
    let hanging = async_nats::connect(site.url()).await.unwrap();
    let _calls = hanging.subscribe("sightline.contract.rpc.here.track").await.unwrap();
    hanging.flush().await.unwrap();
    let wanted = Roll { absent: vec!["detect"], silent: vec!["track"] };
    let ask = async || call(named(&site, "contract"), &["detect", "track", "embed"]).await.unwrap();
    eventually("who hangs is told from who is not there", async || ask().await == wanted).await;
}

async fn asking_makes_nothing(site: Site) {
    assert_eq!(call(named(&site, "elsewhere"), &["embed"]).await.unwrap().absent, ["embed"]);
    let mut streams = site.jetstream().stream_names();
    while let Some(name) = streams.next().await {
        let name = name.unwrap();
        assert!(!name.contains("elsewhere"), "{name}");
    }
}
