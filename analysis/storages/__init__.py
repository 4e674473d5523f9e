"""Where Optuna studies lie: journals, PostgreSQL, SQLite."""
