//! `/api/v1/cameras`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Map, Value};
use sightline_wire::service::{CameraKey, CameraStatus, GetCamera, ListCameras, Nothing, PutCamera, RemoveCamera};
use sightline_wire::{CameraId, CameraSpec};

use crate::Gateway;
use crate::api::Cameras;
use crate::body::{self, JsonBody};
use crate::problem::Problem;

pub(crate) async fn list(State(gateway): State<Gateway>) -> Result<Json<Cameras>, Problem> {
    Ok(Json(Cameras { cameras: gateway.call::<ListCameras>(Nothing {}).await? }))
}

pub(crate) async fn get(State(gateway): State<Gateway>, id: Path<String>) -> Result<Json<CameraStatus>, Problem> {
    Ok(Json(gateway.call::<GetCamera>(CameraKey { id: body::id(id)? }).await?))
}

/// Adds a camera; one that is there already is changed with PUT.
pub(crate) async fn create(
    State(gateway): State<Gateway>,
    JsonBody(spec): JsonBody<CameraSpec>,
) -> Result<(StatusCode, Json<CameraStatus>), Problem> {
    let all = gateway.call::<ListCameras>(Nothing {}).await?;
    if all.iter().any(|camera| camera.spec.id == spec.id) {
        return Err(Problem::new(409, format!("there already is a camera \"{}\": change it with PUT", spec.id)));
    }
    Ok((StatusCode::CREATED, Json(gateway.call::<PutCamera>(spec).await?)))
}

/// Adds or replaces; the body may leave the id out.
pub(crate) async fn put(
    State(gateway): State<Gateway>,
    id: Path<String>,
    JsonBody(mut fields): JsonBody<Map<String, Value>>,
) -> Result<Json<CameraStatus>, Problem> {
    let id: CameraId = body::id(id)?;
    let stated = fields.entry("id").or_insert_with(|| id.as_str().into());
    if stated != id.as_str() {
        return Err(Problem::new(422, format!("the address says \"{id}\", the body says {stated}")));
    }
    let spec: CameraSpec =
        serde_json::from_value(Value::Object(fields)).map_err(|error| Problem::new(422, format!("the body: {error}")))?;
    Ok(Json(gateway.call::<PutCamera>(spec).await?))
}

pub(crate) async fn remove(State(gateway): State<Gateway>, id: Path<String>) -> Result<StatusCode, Problem> {
    gateway.call::<RemoveCamera>(CameraKey { id: body::id(id)? }).await?;
    Ok(StatusCode::NO_CONTENT)
}
