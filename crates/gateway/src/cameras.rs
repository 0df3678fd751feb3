//! `/api/v1/cameras`.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Map, Value};
use sightline_wire::service::{
    CameraKey, CameraStatus, CreateCamera, GetCamera, ListCameras, Nothing, PutCamera, RemoveCamera,
};
use sightline_wire::{CameraId, CameraSpec};

use crate::Gateway;
use crate::api::Cameras;
use crate::body::{Id, JsonBody};
use crate::problem::Problem;

pub(crate) async fn list(State(gateway): State<Gateway>) -> Result<Json<Cameras>, Problem> {
    Ok(Json(Cameras { cameras: gateway.call::<ListCameras>(Nothing {}).await? }))
}

pub(crate) async fn get(State(gateway): State<Gateway>, Id(id): Id<CameraId>) -> Result<Json<CameraStatus>, Problem> {
    Ok(Json(gateway.call::<GetCamera>(CameraKey { id }).await?))
}

/// Adds a camera; one that is there already is changed with PUT.
pub(crate) async fn create(
    State(gateway): State<Gateway>,
    JsonBody(spec): JsonBody<CameraSpec>,
) -> Result<(StatusCode, Json<CameraStatus>), Problem> {
    Ok((StatusCode::CREATED, Json(gateway.call::<CreateCamera>(spec).await?)))
}

/// Adds or replaces; the body may leave the id out.
pub(crate) async fn put(
    State(gateway): State<Gateway>,
    Id(id): Id<CameraId>,
    JsonBody(mut fields): JsonBody<Map<String, Value>>,
) -> Result<Json<CameraStatus>, Problem> {
    let stated = fields.entry("id").or_insert_with(|| id.as_str().into());
    if stated != id.as_str() {
        return Err(Problem::new(422, format!("the address says \"{id}\", the body says {stated}")));
    }
    let spec: CameraSpec = serde_json::from_value(Value::Object(fields))
        .map_err(|error| Problem::new(422, format!("the body: {error}")))?;
    Ok(Json(gateway.call::<PutCamera>(spec).await?))
}

pub(crate) async fn remove(State(gateway): State<Gateway>, Id(id): Id<CameraId>) -> Result<StatusCode, Problem> {
    gateway.call::<RemoveCamera>(CameraKey { id }).await?;
    Ok(StatusCode::NO_CONTENT)
}
