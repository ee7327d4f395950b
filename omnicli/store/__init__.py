"""The store: tables, migrations, and one module a verb. SQLAlchemy Core for every statement, no ORM."""
