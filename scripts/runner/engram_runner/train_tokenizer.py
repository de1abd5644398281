"""Trains a byte-level byte-pair tokenizer and prints its tokenizer.json.

    python -m engram_runner.train_tokenizer VOCABULARY_SIZE MIN_FREQUENCY END_OF_DOCUMENT < DOCUMENTS

DOCUMENTS is a JSON string a line. Every byte is in the vocabulary, so that the tokenizer can write every text.
"""
import json
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers


def main() -> None:
    size, min_frequency, end = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=min_frequency,
        special_tokens=[end],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator((json.loads(line) for line in sys.stdin.buffer), trainer)
    sys.stdout.write(tokenizer.to_str())


if __name__ == "__main__":
    main()
