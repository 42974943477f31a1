"""Tiny random language models of real classes, with a byte tokenizer and the chat templates of published models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|quiet|>", "[INST]", "[/INST]", "<s>", "</s>",
           "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]",
           "<start_of_turn>", "<end_of_turn>")  # fmt: skip
CONTEXT = 2048

CHATML = """{%- if tools %}<|im_start|>system
{% if messages[0].role == 'system' %}{{ messages[0].content }}

{% endif %}You may call functions. Signatures within <tools></tools> tags:
<tools>
{% for tool in tools %}{{ tool | tojson }}
{% endfor %}</tools>
Answer a call as <tool_call>
{"name": <function-name>, "arguments": <args-json-object>}
</tool_call><|im_end|>
{% elif messages[0].role == 'system' %}<|im_start|>system
{{ messages[0].content }}<|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == 'user' or message.role == 'assistant' and not message.tool_calls %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% elif message.role == 'assistant' %}<|im_start|>assistant
{{ message.content }}{% for call in message.tool_calls %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% elif message.role == 'tool' %}<|im_start|>user
<tool_response>
{{ message.content }}
</tool_response><|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking is defined and enable_thinking %}<think>
{% endif %}{% endif %}"""
"""In the form of Qwen's."""

INST = """{%- if messages[0].role == 'system' %}{% set system = messages[0].content %}
{%- set loop_messages = messages[1:] %}
{%- else %}{% set loop_messages = messages %}{% endif %}
{%- set ns = namespace(index=0) %}
{%- for message in loop_messages %}{% if not (message.role == 'tool' or message.tool_calls) %}
{%- if (message.role == 'user') != (ns.index % 2 == 0) %}
{{- raise_exception('conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}
{%- set ns.index = ns.index + 1 %}{% endif %}{% endfor %}{{ '<s>' }}
{%- for message in loop_messages %}
{%- if message.role == 'user' %}
{%- if tools and loop.last %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}
{%- if loop.first and system is defined %}[INST]{{ system }}

{{ message.content }}[/INST]{% else %}[INST]{{ message.content }}[/INST]{% endif %}
{%- elif message.tool_calls %}[TOOL_CALLS][
{%- for call in message.tool_calls %}
{%- if call.id is not defined or call.id | length != 9 %}{{ raise_exception('ids have length 9!') }}{% endif %}
{%- if not loop.first %}, {% endif %}{"name": "{{ call.function.name }}", {# -#}
"arguments": {{ call.function.arguments | tojson }}, "id": "{{ call.id }}"}
{%- endfor %}]</s>
{%- elif message.role == 'assistant' %}{{ message.content }}</s>
{%- elif message.role == 'tool' %}
{%- if message.tool_call_id is not defined or message.tool_call_id | length != 9 %}
{{- raise_exception('ids have length 9!') }}{% endif -%}
[TOOL_RESULTS]{"content": "{{ message.content }}", "call_id": "{{ message.tool_call_id }}"}[/TOOL_RESULTS]
{%- endif %}{% endfor %}"""
"""In the form of Mistral's: roles alternate, ids have nine characters, tools stand before the last message."""

TURNS = """{{ '<s>' }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}
{%- for message in messages %}{% if (message.role == 'user') != (loop.index0 % 2 == 0) %}
{{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}<start_of_turn>
{{- 'model' if message.role == 'assistant' else message.role }}
{{ message.content | trim }}<end_of_turn>
{% endfor %}{% if add_generation_prompt %}<start_of_turn>model
{% endif %}"""
"""In the form of Gemma's: neither a system message nor tools."""

ONE_CALL = """{% for message in messages %}{% if message.tool_calls %}
{%- if message.tool_calls | length != 1 %}
{{- raise_exception('This model only supports single tool-calls at once!') }}{% endif %}
{{- '<|im_start|>assistant\n' + '{"name": "' + message.tool_calls[0].function.name + '", "parameters": ' }}
{{- message.tool_calls[0].function.arguments + '}<|im_end|>\n' }}
{%- else %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif %}{% endfor %}{% for tool in tools or [] %}{{ tool.function.name }}{% endfor %}<|im_start|>assistant
"""
"""One call in a message, as in Llama's, and arguments as JSON text, as in DeepSeek's."""


def tokenizer(folder: Path, template: str | None, eos: str = "<|endoftext|>") -> Any:
    """Write a tokenizer whose vocabulary is bytes and special tokens, with a chat template; the tokenizer."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({letter: number for number, letter in enumerate(alphabet)}, []))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.add_special_tokens(list(SPECIAL))
    made.add_tokens(
        [AddedToken(mark, normalized=False) for mark in ("<tool_call>", "</tool_call>", "<think>", "</think>")]
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=made, eos_token=eos, pad_token="<|endoftext|>")
    if template is not None:
        fast.chat_template = template
    fast.save_pretrained(folder)
    return fast


def language_model(folder: Path, template: str | None = CHATML, *, kind: str = "Llama", **config: Any) -> Path:
    """Write a random language model of two layers. kind: its class in transformers, such as Qwen2 or Mistral"""
    import torch
    import transformers

    made = tokenizer(folder, template)
    torch.manual_seed(0)
    given = getattr(transformers, f"{kind}Config")(
        vocab_size=len(made), hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=8, max_position_embeddings=CONTEXT, bos_token_id=None,
        eos_token_id=made.eos_token_id, pad_token_id=made.eos_token_id, **config,
    )  # fmt: skip
    getattr(transformers, f"{kind}ForCausalLM")(given).save_pretrained(folder)
    return folder
