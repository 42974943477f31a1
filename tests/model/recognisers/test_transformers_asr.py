"""Recognisers of transformers, with tiny random checkpoints of the real classes."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from support.ear import request

from agentaudio.errors import AudioError, BackendError, OptionError
from agentaudio.model.parts import Recognition
from agentaudio.model.recognisers.transformers_asr import TransformersRecogniser, load
from agentaudio.sound.audio import Audio

torch = pytest.importorskip("torch", reason="torch is installed by make test-local")
transformers = pytest.importorskip("transformers", reason="transformers is installed by make test-local")

LETTERS = "abcdefghijklmnopqrstuvwxyz"


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random wav2vec 2.0 with a CTC head over letters."""
    folder = tmp_path_factory.mktemp("wav2vec2")
    vocabulary = {token: number for number, token in enumerate(["<pad>", "<s>", "</s>", "<unk>", "|", *LETTERS])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        conv_dim=(8, 8), conv_stride=(20, 16), conv_kernel=(20, 16), num_feat_extract_layers=2,
        num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=2, pad_token_id=0,
    )  # fmt: skip
    transformers.Wav2Vec2ForCTC(config).save_pretrained(folder)
    transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json")).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Whisper for English, whose vocabulary is bytes and special tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("whisper")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["<|endoftext|>", "<|startoftranscript|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>",
               "<|startofprev|>", "<|nospeech|>", "<|notimestamps|>"]  # fmt: skip
    tokenizer.add_special_tokens(special)
    ids = {name: tokenizer.token_to_id(name) for name in special}
    torch.manual_seed(0)
    config = transformers.WhisperConfig(
        vocab_size=tokenizer.get_vocab_size(), d_model=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16,
        bos_token_id=ids["<|endoftext|>"], eos_token_id=ids["<|endoftext|>"], pad_token_id=ids["<|endoftext|>"],
        decoder_start_token_id=ids["<|startoftranscript|>"], begin_suppress_tokens=None,
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(config)
    model.generation_config.no_timestamps_token_id = ids["<|notimestamps|>"]
    model.generation_config.is_multilingual = False
    model.generation_config.max_length = 448
    model.save_pretrained(folder)
    transformers.WhisperTokenizerFast(tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>",
                                      unk_token="<|endoftext|>").save_pretrained(folder)  # fmt: skip
    transformers.WhisperFeatureExtractor().save_pretrained(folder)
    return folder


async def test_ctc_models_recognise_each_piece_of_speech(wav2vec2: Path) -> None:
    recogniser = load(str(wav2vec2))
    await recogniser.warm_up()
    audio, _ = request(0)
    heard = await recogniser.recognise(audio.resample(8_000), language="en")
    assert set(re.sub(r"</?s>|<unk>", "", heard.text)) <= set(LETTERS + " ")
    assert heard.text and heard.language == "en" and heard.final
    twice = await recogniser.recognise(Audio.concat([audio] * 15))
    assert len(twice.text) > len(heard.text)
    assert [one async for one in recogniser.stream(_pieces(audio))] == [await recogniser.recognise(audio)]
    await recogniser.aclose()
    await recogniser.aclose()
    with pytest.raises(BackendError, match="closed"):
        await recogniser.recognise(audio)


async def test_silence_is_no_words_and_no_samples_are_refused(wav2vec2: Path) -> None:
    recogniser = load(str(wav2vec2))
    assert await recogniser.recognise(Audio.silence(2, 16_000)) == Recognition("")
    with pytest.raises(AudioError, match="no samples"):
        await recogniser.recognise(Audio.silence(0, 16_000))
    await recogniser.aclose()


async def test_whisper_recognises_and_stops_when_cancelled(whisper: Path) -> None:
    recogniser = TransformersRecogniser(str(whisper))
    audio, _ = request(0)
    heard = await recogniser.recognise(audio)
    assert isinstance(heard.text, str)
    many = asyncio.ensure_future(recogniser.recognise(Audio.concat([audio] * 40)))
    await asyncio.sleep(0.3)
    many.cancel()
    with pytest.raises(asyncio.CancelledError):
        await many
    before = time.process_time()
    assert await recogniser.recognise(audio) == heard
    assert time.process_time() - before < 15
    await recogniser.aclose()


async def test_unusable_models_are_named(tmp_path: Path, whisper: Path) -> None:
    with pytest.raises(OptionError, match="needs a model: write transformers:openai/whisper-small"):
        load(None)
    recogniser = load(str(tmp_path))
    with pytest.raises(BackendError, match="transformers cannot load .* as a model for speech recognition"):
        await recogniser.warm_up()
    await recogniser.aclose()


async def test_pickled_weights_are_refused(wav2vec2: Path, tmp_path: Path) -> None:
    for file in wav2vec2.iterdir():
        if file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save(transformers.Wav2Vec2ForCTC.from_pretrained(wav2vec2).state_dict(), tmp_path / "pytorch_model.bin")
    recogniser = load(str(tmp_path))
    with pytest.raises(BackendError, match="safetensors"):
        await recogniser.warm_up()
    await recogniser.aclose()


async def _pieces(audio: Audio) -> Any:
    for piece in audio.chunks(300):
        yield piece
