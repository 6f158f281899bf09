"""Words are cut alike in documents and questions, whatever the script."""

import pytest

from dragoman.rag.words import STEMMERS, Words, guess, stop_words


@pytest.mark.parametrize(
    ("text", "language", "terms"),
    [
        ("The Connections, connected: (connecting)!", "en", ["connect", "connect", "connect"]),
        ("don't os_path 3.11", "en", ["don", "t", "os", "path", "3", "11"]),
        ("Die Häuser und das Haus", "de", ["haus", "haus"]),
        ("日本語", "ja", ["日本", "本語"]),
        ("本", "zh", ["本"]),
        ("GPU で計算", "ja", ["gpu", "で計", "計算"]),
        ("ｆｕｌｌ ﬁle", "", ["full", "file"]),
        ("हिन्दी में", "", ["हिन्दी", "में"]),
        ("naïve nai\u0308ve", "", ["naïve", "naïve"]),
        ("", "en", []),
    ],
)
def test_terms(text: str, language: str, terms: list[str]) -> None:
    assert Words()(text, language) == terms


def test_settings_take_the_place_of_what_a_language_has() -> None:
    assert Words(stemmer="", stop=())("the cars", "en") == ["the", "cars"]
    assert Words(stemmer="porter")("generously relational", "en") == ["gener", "relat"]


def test_a_question_to_documents_of_several_languages() -> None:
    words = Words()
    assert words.any("Häuser", ["de", "en"]) == ["haus", "häuser"]
    assert words.any("cars cars", ["en", ""]) == ["car", "cars", "car", "cars"]
    assert words.any("the cars", ["en"]) == ["car"]


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("This is the answer to a question that was asked in the meeting.", "en"),
        ("Das ist die Antwort auf eine Frage, die nicht in der Sitzung gestellt wurde.", "de"),
        ("C'est la réponse à une question qui n'est pas dans le livre.", "fr"),
        ("Esta es la respuesta a una pregunta que se hizo en la reunión.", "es"),
        ("Questa è la risposta a una domanda che non si trova nel libro.", "it"),
        ("Dit is het antwoord op een vraag die niet in de vergadering werd gesteld.", "nl"),
        ("Это ответ на вопрос, который не был задан на встрече.", "ru"),
        ("Se on vastaus, joka ei ollut kirjassa, mutta se on hyvä.", "fi"),
        ("Table 12 Reynolds 4500 Mach", ""),
        ("", ""),
    ],
)
def test_the_language_is_guessed_by_its_commonest_words(text: str, language: str) -> None:
    assert guess(text) == language


def test_the_lists() -> None:
    assert len(stop_words("en")) == 33
    for language in ("de", "fr", "es", "it", "pt", "nl", "ru", "sv", "da", "no", "fi"):
        assert len(stop_words(language)) > 30 and language in STEMMERS
    assert stop_words("ja") == frozenset()
