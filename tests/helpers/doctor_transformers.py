"""Trainings with the ``Trainer`` of transformers, healthy or with one known mistake, for the tests of the doctor."""

import tempfile

import torch
import torch.nn.functional as F
from torch.utils.data import Dataset
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    Trainer,
    TrainingArguments,
)


class Sentences(Dataset):
    """Eight tokens, and as the label the one of four that is among them."""

    def __init__(self, n=192, seed=0, label=True):
        g = torch.Generator().manual_seed(seed)
        self.tokens, self.labels = torch.randint(4, 30, (n, 8), generator=g), torch.randint(4, (n,), generator=g)
        self.tokens[torch.arange(n), torch.randint(8, (n,), generator=g)] = self.labels
        self.label = label

    def __len__(self):
        return len(self.tokens)

    def __getitem__(self, i):
        return {"input_ids": self.tokens[i], "labels": self.labels[i] if self.label else self.tokens[i]}


class Text(Sentences):
    """Counting upwards from a random token: the next one is known."""

    def __init__(self, n=192, seed=0):
        super().__init__(n, seed, label=False)
        self.tokens = (self.tokens[:, :1] + torch.arange(8)) % 30


def bert():
    config = BertConfig(vocab_size=30, hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
                        intermediate_size=32, max_position_embeddings=16, num_labels=4)  # fmt: skip
    return BertForSequenceClassification(config)


def gpt():
    return GPT2LMHeadModel(GPT2Config(vocab_size=30, n_positions=16, n_embd=32, n_layer=1, n_head=2))


class Squashed(Trainer):
    """A loss of one's own, after one softmax too many."""

    def compute_loss(self, model, inputs, return_outputs=False, **_):
        labels = inputs.pop("labels")
        outputs = model(**inputs)
        loss = F.cross_entropy(outputs.logits.softmax(dim=-1), labels)
        return (loss, outputs) if return_outputs else loss


class Evaluating(Trainer):
    """A step of one's own that forgets what the original does first: ``model.train()``."""

    def training_step(self, model, inputs, num_items_in_batch=None):
        model.eval()
        loss = self.compute_loss(model, self._prepare_inputs(inputs))
        self.accelerator.backward(loss)
        return loss.detach()


def by_epochs(model):
    """A plan that counts epochs, given to a Trainer, which steps every plan with the optimizer."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    return optimizer, torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)


def only_the_head(model):
    return torch.optim.AdamW(model.classifier.parameters(), lr=1e-2), None


def program(make=bert, *, cause=None, kind=Trainer, data=Sentences, optimizers=lambda _: (None, None), **options):
    def run():
        torch.manual_seed(0)
        with tempfile.TemporaryDirectory() as folder:
            arguments = TrainingArguments(**({
                "output_dir": folder, "learning_rate": 1e-2, "num_train_epochs": 3, "use_cpu": True,
                "report_to": "none", "per_device_train_batch_size": 16, "per_device_eval_batch_size": 16,
                "eval_strategy": "epoch", "save_strategy": "no", "disable_tqdm": True, "logging_strategy": "no",
            } | options))  # fmt: skip
            model = make()
            kind(
                model, arguments, train_dataset=data(), eval_dataset=data(64, seed=7), optimizers=optimizers(model)
            ).train()
        return model

    return (cause, run)


PROGRAMS = {
    "a classifier": program(),
    "a language model": program(gpt, data=Text),
    "accumulated, warm-up": program(
        gradient_accumulation_steps=2, warmup_steps=5, learning_rate=5e-3, num_train_epochs=4
    ),
    "cosine, two epochs": program(lr_scheduler_type="cosine", num_train_epochs=2),
    "saved and measured each 8 steps": program(
        save_strategy="steps", save_steps=8, eval_strategy="steps", eval_steps=8
    ),
    "bfloat16": program(bf16=True),
    "lr far too high": program(cause="learning-rate-too-high", learning_rate=50.0, lr_scheduler_type="constant"),
    "softmax in the loss": program(kind=Squashed, cause="softmax-before-cross-entropy"),
    "evaluation mode": program(kind=Evaluating, cause="eval-mode-while-training"),
    "a plan of epochs": program(optimizers=by_epochs, cause="scheduler-stepped-per-batch"),
    "only the head in the optimizer": program(cause="parameters-not-in-optimizer", optimizers=only_the_head),
}
