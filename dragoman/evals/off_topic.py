"""Questions on everything else, with which it is tried whether documents on one thing refuse those on another."""

from dragoman.app.wording import content, same_word, words

__all__ = ["OFF_TOPIC", "speaks_of"]

OFF_TOPIC = (
    "How long should a soft-boiled egg cook?",
    "Which planet has the most moons?",
    "Who painted the ceiling of the Sistine Chapel?",
    "What is the offside rule in football?",
    "How do I get red wine out of a white shirt?",
    "When did the Berlin Wall fall?",
    "How many strings does a violin have?",
    "What causes the northern lights?",
    "Which river flows through Baghdad?",
    "How is sourdough bread made?",
    "Who wrote the novel Moby-Dick?",
    "What is the boiling point of ethanol?",
    "How many players are on a volleyball team?",
    "Why do cats purr?",
    "What is the currency of Thailand?",
    "How does a bicycle stay upright?",
    "Who was the first woman to win a Nobel Prize?",
    "What is the difference between a crocodile and an alligator?",
    "How often should orchids be watered?",
    "Which gas do plants take in?",
    "What does a stethoscope measure?",
    "How do noise-cancelling headphones work?",
    "Which chess piece moves in an L?",
    "How deep is the Mariana Trench?",
    "What is the longest bone in the human body?",
    "How do I tie a bowline knot?",
    "Who composed the opera Carmen?",
    "What vitamins are in an orange?",
    "Why is the sky blue?",
    "How many time zones does Russia have?",
    "What is a leap second?",
    "Which muscles does rowing train?",
    "How do vaccines protect against measles?",
    "What is the capital of New Zealand?",
    "How is glass blown?",
    "When is the best season to prune roses?",
    "What is a haiku?",
    "How far can a kangaroo jump?",
    "Which ingredients are in a Caesar salad?",
    "What is the speed of sound in water?",
)
"of forty fields, so that documents on one thing answer at most a few of them"


def speaks_of(text: str, question: str) -> bool:
    """Whether a text holds every content word of a question, in some form: then it may well answer it."""
    own = {word.plain for word in content(words(text))}
    return all(any(same_word(asked.plain, other) for other in own) for asked in content(words(question)))
