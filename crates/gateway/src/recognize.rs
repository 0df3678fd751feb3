//! `/api/v1/recognize`: who is in a picture.

use axum::Json;
use axum::extract::{Query, Request, State};
use serde::Deserialize;
use sightline_wire::Outcome;
use sightline_wire::service::{Analyse, AnalyseImage, AnalysedFace, Analysis, Search, SearchPeople, SearchResult};

use crate::Gateway;
use crate::api::{Models, Recognition, RecognizedFace};
use crate::body::{self, Upload};
use crate::problem::Problem;

/// Most people for each face.
const MOST_PEOPLE: u32 = 100;

/// Vectors of one search: about 400 KB as JSON, which every broker takes.
const VECTORS_AT_ONCE: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Asked {
    /// People for each face.
    #[serde(default = "five")]
    k: u32,
}

const fn five() -> u32 {
    5
}

pub(crate) async fn recognize(
    State(gateway): State<Gateway>,
    asked: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
    request: Request,
) -> Result<Json<Recognition>, Problem> {
    let Query(asked) = asked.map_err(|rejection| Problem::new(422, rejection.body_text()))?;
    let (analysis, _name) = analyse(&gateway, request).await?;
    let mut found = search(&gateway, &analysis, asked.k.clamp(1, MOST_PEOPLE)).await?.into_iter();
    let faces = analysis.faces.into_iter().map(|face| {
        let result = face.vector.as_ref().and_then(|_| found.next());
        recognized(face, result)
    });
    Ok(Json(Recognition {
        width: analysis.width,
        height: analysis.height,
        model: Models { detector: analysis.detector, embedder: analysis.embedder },
        faces: faces.collect(),
    }))
}

/// A result for each face that has a vector, in their order.
async fn search(gateway: &Gateway, analysis: &Analysis, k: u32) -> Result<Vec<SearchResult>, Problem> {
    let vectors: Vec<&Vec<f32>> = analysis.faces.iter().filter_map(|face| face.vector.as_ref()).collect();
    let mut found = Vec::with_capacity(vectors.len());
    for some in vectors.chunks(VECTORS_AT_ONCE) {
        let vectors = some.iter().map(|vector| (*vector).clone()).collect();
        found.extend(gateway.call::<Search>(SearchPeople { embedder: analysis.embedder.clone(), vectors, k }).await?);
    }
    Ok(found)
}

fn recognized(face: AnalysedFace, result: Option<SearchResult>) -> RecognizedFace {
    let (people, outcome) = result.map_or((Vec::new(), Outcome::Unknown), |result| (result.candidates, result.outcome));
    // As in the pipeline: a face this small is never named.
    let outcome = if face.flaw.as_deref() == Some("small") { Outcome::TooSmall } else { outcome };
    RecognizedFace {
        bbox: face.bbox,
        landmarks: face.landmarks,
        score: face.score,
        quality: face.quality,
        flaw: face.flaw,
        outcome,
        people,
    }
}

/// Receives a picture and has it analysed, if there is room for one more; with the picture's name.
pub(crate) async fn analyse(gateway: &Gateway, request: Request) -> Result<(Analysis, String), Problem> {
    body::refuse_large(request.headers(), gateway.largest_form())?;
    let Ok(_turn) = gateway.analyses.try_acquire() else {
        return Err(Problem::new(
            429,
            format!("{} pictures are being received or analysed already: try again", gateway.limits.analyses),
        ));
    };
    let upload = Upload::receive(request, gateway).await?;
    let call = gateway.services.call::<Analyse>(&AnalyseImage { embed: true }, upload.bytes, gateway.limits.analysis);
    Ok((call.await?, upload.name))
}
