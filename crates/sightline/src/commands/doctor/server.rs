//! Whether the server that the other commands talk to is there, ready, and of this site.

use std::io;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;

use super::Outcome;
use crate::client::address;

/// A server that is well answers at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// The site is that of the configuration, if it could be read.
pub(super) fn examine(server: &str, site: Option<&str>) -> Outcome {
    let base = address(server);
    let agent: Agent =
        Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build().into();
    let (status, text) = match get(&agent, &format!("{base}/readyz?verbose")) {
        Ok(answer) => answer,
        Err(error) if is_nobody(&error) => return Ok(format!("not running at {base}")),
        Err(error) => return Err(format!("{base} does not answer ({error}): mend --server, or see what it is doing")),
    };
    let Some(health) = serde_json::from_str::<Value>(&text).ok().filter(|health| health["checks"].is_object()) else {
        return Err(format!("{base} is no Sightline server (status {status}): say with --server where it is"));
    };
    let state = not_ready(&health).or_else(|| no_service(&agent, &base));
    let amiss: Vec<String> = state.into_iter().chain(site.and_then(|site| other_site(&health, site))).collect();
    if amiss.is_empty() { Ok(format!("ready at {base}")) } else { Err(format!("{base} {}", amiss.join("; it "))) }
}

fn get(agent: &Agent, url: &str) -> Result<(u16, String), ureq::Error> {
    let mut answer = agent.get(url).call()?;
    Ok((answer.status().as_u16(), answer.body_mut().read_to_string()?))
}

/// Nothing listens there, which is no fault: this command is for before the start as well.
fn is_nobody(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::ConnectionFailed => true,
        ureq::Error::Io(error) => error.kind() == io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

/// The checks that do not hold, and the threads that hang.
fn not_ready(health: &Value) -> Option<String> {
    let checks = health["checks"].as_object()?.iter().filter(|(_, check)| check["ok"] != true);
    let checks = checks.map(|(name, check)| format!("{name}: {}", check["detail"].as_str().unwrap_or("?")));
    let hanging = health["hanging"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let all: Vec<String> = checks.chain(hanging.map(|thread| format!("{thread}: has not moved for long"))).collect();
    (!all.is_empty()).then(|| format!("is not ready ({}): its log says more", all.join("; ")))
}

fn other_site(health: &Value, site: &str) -> Option<String> {
    let other = health["site"].as_str().filter(|other| *other != site)?;
    Some(format!("is of site \"{other}\", and the configuration is of \"{site}\": mend `site`, or --server"))
}

/// What people, search, events and camera would hear.
fn no_service(agent: &Agent, base: &str) -> Option<String> {
    match get(agent, &format!("{base}/api/v1/cameras")) {
        Ok((200, _)) => None,
        Ok((404, _)) => Some("has no gateway: give --server the address of a process that has".to_owned()),
        Ok((status, text)) => {
            let problem: Value = serde_json::from_str(&text).unwrap_or_default();
            let said = problem["detail"].as_str().map_or_else(|| format!("status {status}"), str::to_owned);
            Some(format!("does not serve ({said}): see that somebody does identify"))
        }
        Err(error) => Some(format!("does not serve ({error}): its log says more")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{not_ready, other_site};

    #[test]
    fn what_does_not_hold_and_what_hangs_is_named() {
        let check = |ok: bool, detail: &str| json!({"ok": ok, "detail": detail});
        let health = json!({
            "site": "hall", "hanging": ["detect-0"],
            "checks": {"bus": check(false, "the NATS server is away"), "models": check(true, "warm")},
        });
        let said = not_ready(&health).unwrap();
        assert!(said.contains("bus: the NATS server is away") && said.contains("detect-0"), "{said}");
        assert!(!said.contains("models"), "{said}");
        assert_eq!(not_ready(&json!({"checks": {"models": check(true, "warm")}, "hanging": []})), None);
        assert!(other_site(&health, "roof").unwrap().contains("\"hall\"") && other_site(&health, "hall").is_none());
        // A server of an earlier version does not say.
        assert_eq!(other_site(&json!({"checks": {}}), "hall"), None);
    }
}
