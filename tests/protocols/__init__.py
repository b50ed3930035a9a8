"""Codecs and dialogues against literal bytes and scripted transcripts."""
