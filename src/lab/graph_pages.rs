//! The lab's own pages: the truth, the counts, and the levers (design/contract.md section 3).

use axum::http::Method;
use axum::http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};

use super::control::{Order, SourceAction, TargetAction, on_source, on_target};
use super::fault::{CallKind, Fault, Weather};
use super::graph_answer::Answer;
use super::graph_http::GraphFace;
use super::mishap::MishapOrder;
use super::truth::truth;
use super::world::{Now, Refused, World};
use crate::base::event::Side;
use crate::base::quantity::Span;

/// `{"weather":"busy","faults":[{"fault":"busy","call":"import"}],"mishaps":[{"mishap":"moving","mailbox":"..."}]}`, each part optional.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sky {
    weather: Option<Weather>,
    #[serde(default)]
    faults: Vec<FaultOrder>,
    #[serde(default)]
    mishaps: Vec<MishapOrder>,
}

/// The next calls of a kind, after so many of them that pass, meet this fault.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultOrder {
    fault: String,
    call: CallKind,
    #[serde(default = "once")]
    times: u16,
    #[serde(default)]
    after: u16,
    wait_ms: Option<u64>,
}

const fn once() -> u16 {
    1
}

impl FaultOrder {
    fn script(&self) -> Option<impl Iterator<Item = (CallKind, Option<Fault>)> + use<>> {
        let fault = Fault::named(&self.fault, self.wait_ms.map(Span::new))?;
        let (call, after, times) = (self.call, self.after.into(), self.times.into());
        let passing = std::iter::repeat_n((call, None), after);
        Some(passing.chain(std::iter::repeat_n((call, Some(fault)), times)))
    }
}

/// Sets the weather, faults of coming calls, and mishaps.
fn weather(lab: &GraphFace, body: &[u8]) -> Answer {
    let sky = match serde_json::from_slice::<Sky>(body) {
        Ok(sky) => sky,
        Err(error) => {
            return wrong(&format!(
                "weather is calm, busy or storm, with faults and mishaps by name: {error}"
            ));
        }
    };
    let scripts: Option<Vec<_>> = sky.faults.iter().map(FaultOrder::script).collect();
    let Some(scripts) = scripts else {
        let names: Vec<&str> = Fault::names().collect();
        return wrong(&format!("a fault is one of {}", names.join(", ")));
    };
    let set = lab.world(|world, now| {
        if let Some(weather) = sky.weather {
            world.set_weather(weather);
        }
        world.script(scripts.into_iter().flatten());
        for mishap in sky.mishaps {
            world.befall(now, mishap)?;
        }
        Ok(world.options().weather)
    });
    match set {
        Ok(weather) => Answer::json(200, &json!({ "weather": weather })),
        Err(why) => impossible(why),
    }
}

/// Answers a page.
pub(super) fn page(lab: &GraphFace, parts: &Parts, body: &[u8]) -> Answer {
    let path = parts.uri.path();
    match (&parts.method, path) {
        (&Method::GET, "/lab/truth") => Answer::json(200, &lab.world(|world, _| truth(world))),
        (&Method::GET, "/lab/control/stats") => {
            Answer::json(200, &lab.world(|world, _| world.stats()))
        }
        (&Method::GET, "/lab/control/log") => log(lab, parts.uri.query().unwrap_or("")),
        (&Method::POST, "/lab/control/source") => order::<SourceAction>(lab, body, on_source),
        (&Method::POST, "/lab/control/target") => order::<TargetAction>(lab, body, on_target),
        (&Method::POST, "/lab/control/weather") => weather(lab, body),
        _ => Answer::json(404, &json!({"error": "no such page of the lab"})),
    }
}

fn wrong(why: &str) -> Answer {
    Answer::json(400, &json!({ "error": why }))
}

fn log(lab: &GraphFace, query: &str) -> Answer {
    if query != "invalid=1" {
        return wrong("the log keeps invalid requests: ?invalid=1");
    }
    let entries: Vec<Value> = lab.world(|world, _| {
        let entry = |entry: &super::world::InvalidRequest| {
            let side = match entry.side {
                Side::Source => "source",
                Side::Target => "target",
            };
            json!({"at": entry.at.to_string(), "side": side, "why": entry.why})
        };
        world.invalid_log().map(entry).collect()
    });
    Answer::json(200, &json!({ "invalid": entries }))
}

fn order<A: for<'de> Deserialize<'de>>(
    lab: &GraphFace,
    body: &[u8],
    act: impl FnOnce(&mut World, Now, &Order<A>) -> Result<u64, Refused>,
) -> Answer {
    let Ok(order) = serde_json::from_slice::<Order<A>>(body) else {
        return wrong("an order is {mailbox, action, folder, count}");
    };
    match lab.world(|world, now| act(world, now, &order)) {
        Ok(count) => Answer::json(200, &json!({ "done": count })),
        Err(why) => impossible(why),
    }
}

fn impossible(why: Refused) -> Answer {
    let why = match why {
        Refused::NoMailbox => "no such mailbox",
        Refused::NoFolder => "no such folder",
        _ => "it cannot be done",
    };
    Answer::json(404, &json!({ "error": why }))
}
