//! The detect stage: frames in, faces with generic crops out.
