"""What a dashboard asks for that no snapshot holds: one small class for each question."""

from eventscope.engine.questions.base import Answer, Known, Question

__all__ = ["Answer", "Known", "Question"]
