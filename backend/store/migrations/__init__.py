"""How the tables came to be, step by step. Run by ``database.open``; a step that was released is never changed."""
