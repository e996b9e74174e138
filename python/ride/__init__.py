"""RIDE's Python side: training, evaluation and the report. It calls the `ride` program and reads what that wrote; it
never computes a feature or a decision itself, so a model is trained on exactly what will be served."""
