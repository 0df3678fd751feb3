//! `/api/v1/recognize`: who is in a picture.

use axum::Json;
use axum::extract::{Query, Request, State};
use bytes::Bytes;
use serde::Deserialize;
use sightline_wire::Outcome;
use sightline_wire::service::{Analyse, AnalyseImage, AnalysedFace, Analysis, Search, SearchPeople, SearchResult};

use crate::api::{Models, RecognizedFace, Recognition};
use crate::body::Upload;
use crate::problem::Problem;
use crate::{ANALYSIS_DEADLINE, Gateway};

/// Most people for each face.
const MOST_PEOPLE: u32 = 100;

#[derive(Debug, Deserialize)]
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
    let upload = Upload::read(request, gateway.limits.image_bytes).await?;
    let analysis = analyse(&gateway, upload.bytes).await?;
    let vectors: Vec<Vec<f32>> = analysis.faces.iter().filter_map(|face| face.vector.clone()).collect();
    let found = match vectors.is_empty() {
        true => Vec::new(),
        false => {
            let search = SearchPeople { embedder: analysis.embedder.clone(), vectors, k: asked.k.clamp(1, MOST_PEOPLE) };
            gateway.call::<Search>(search).await?
        }
    };
    let mut found = found.into_iter();
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

/// Has a picture analysed, if not too many are already.
pub(crate) async fn analyse(gateway: &Gateway, picture: Bytes) -> Result<Analysis, Problem> {
    let Ok(_turn) = gateway.analyses.try_acquire() else {
        return Err(Problem::new(429, format!("{} pictures are being analysed already", gateway.limits.analyses)));
    };
    Ok(gateway.services.call::<Analyse>(&AnalyseImage { embed: true }, picture, ANALYSIS_DEADLINE).await?)
}
