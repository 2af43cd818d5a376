"""What `conformance check` says of each model of the zoo: verdict, exit code, uses, fixes and caveats."""

from dataclasses import dataclass, field

PADDING = "vmap_embedding_padding_idx_gets_gradient"
INDEX = "vmap_embedding_reads_neighbours"
META = "meta_operand_gives_uninitialized_memory"
HOOKS = "vmap_leaves_out_backward_hooks"
REFUSED = "CAN'T BE ENSEMBLED: torch.func refuses"
TOKENS = ("5:0..16",)


@dataclass(frozen=True)
class Row:
    """A model with its inputs, as on the command line, and what the report says of it.

    `verdict`: how it begins; `uses`: answers that it must contain; `fixes`: names in remedies.toml, all of them;
    `caveats`: ids of known failures.
    """

    model: str
    inputs: tuple[str, ...] = ("3",)
    verdict: str = "RIGHT"
    code: int = 0
    uses: dict[str, str] = field(default_factory=lambda: {"predict": "yes"})
    fixes: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()


RIGHT = (
    Row("right:mlp", uses=dict.fromkeys(("predict", "backward", "grad", "per_sample", "forward_mode"), "yes")),
    Row("right:mlp_of_half_precision"),
    Row("right:mlp_of_bfloat16"),
    Row("right:batch_norm", uses={"backward": "yes", "per_sample": "not applicable"}, fixes=("batch-norm-samples",)),
    Row("right:batch_norm_in_eval_mode"),
    Row("right:convolutions", ("3x9x9",)),
    Row("right:Residual", ("3x8x8",)),
    Row("right:UNet", ("1x8x8",)),
    Row("right:temporal_convolutions", ("3x9",)),
    Row("right:Siamese", ("3", "3")),
    Row("right:Heads"),
    Row("right:Structured"),
    Row("right:Complex", ("3:complex64",)),
    Row("right:Spectral", ("3x16",)),
    Row("right:Attention", ("5x8",), uses={"predict": "slow"}),
    Row("right:transformer", ("5x8",), uses={"backward": "slow"}),
    Row("right:GraphConvolution", (":graph",)),
    Row("right:WrittenLSTM", ("5x3",)),
    Row("right:Process"),
    Row("right:Euler"),
    Row("right:Scaled", ("3", "scale=1")),
    Row("right:Experts"),
    Row("right:Positions", ("5x4",)),
    Row("refused:own_target"),
    Row("refused:FunctionalEnergy"),
    Row("refused:Counter"),
    Row("refused:labels", uses={"predict": "yes", "backward": "not applicable"}),
    Row("caveats:Choice", TOKENS),
)
RANDOM = (
    Row("random_numbers:dropout", uses={"draws": "yes"}, fixes=("dropout",)),
    Row("random_numbers:dropout_in_eval_mode", uses={"draws": "not applicable"}),
    Row(
        "random_numbers:transformer_with_dropout",
        ("5x8",),
        uses={"draws": "yes", "backward": "yes"},
        fixes=("dropout",),
    ),
    Row(
        "random_numbers:transformer_in_eval_mode",
        ("5x8",),
        "RIGHT; refused: backward",
        uses={"predict": "slow", "backward": "no", "grad": "slow"},
        fixes=("attention-fast-path",),
    ),
    Row("random_numbers:Autoencoder", uses={"draws": "yes", "backward": "yes"}, fixes=("dropout",)),
    Row("random_numbers:StochasticDepth", uses={"draws": "yes"}, fixes=("dropout",)),
    Row("random_numbers:NormalLayer", uses={"draws": "yes", "backward": "yes"}, fixes=("dropout",)),
    Row("random_numbers:Gumbel", uses={"draws": "yes"}, fixes=("dropout",)),
    Row("random_numbers:Sampler", uses={"predict": "yes", "draws": "yes"}, fixes=("dropout",)),
    Row("random_numbers:PythonNoise", fixes=("other-generator",)),
)
CAVEATS = (
    Row("caveats:embedding", TOKENS, f"RIGHT, WITH CAVEATS: {INDEX}", fixes=("index-out-of-range",), caveats=(INDEX,)),
    Row(
        "caveats:padded_embedding",
        TOKENS,
        f"RIGHT, WITH CAVEATS: {PADDING}, {INDEX}",
        uses={"backward": "no", "grad": "yes"},
        fixes=("padding-row", "index-out-of-range"),
        caveats=(PADDING, INDEX),
    ),
    Row(
        "caveats:LanguageModel",
        TOKENS,
        f"RIGHT, WITH CAVEATS: {INDEX}, {META}",
        fixes=("tied-on-meta", "index-out-of-range"),
        caveats=(INDEX, META),
    ),
    Row("wrong:three_checkpoints", verdict="RIGHT, WITH CAVEATS: members", caveats=(None,)),
    Row(
        "caveats:hooked",
        verdict=f"NOT FOR train (wrong: {HOOKS}); right for predict",
        code=1,
        uses={"predict": "yes", "backward": "no"},
        fixes=("hooks",),
        caveats=(HOOKS,),
    ),
)
NO = {"predict": "no"}
STOPPED = (
    Row(
        "refused:lstm",
        ("5x3",),
        "NOT FOR predict (refused: aten::lstm); right for train by torch.func.grad",
        1,
        {"predict": "no", "backward": "no", "grad": "yes"},
        ("recurrent",),
    ),
    Row("refused:gru", ("5x3",), "NOT FOR predict (refused: aten::gru)", 1, NO, ("recurrent",)),
    Row("refused:control_flow", verdict=REFUSED, code=1, uses=NO, fixes=("control-flow",)),
    Row("refused:item", verdict=REFUSED, code=1, uses=NO, fixes=("control-flow",)),
    Row("refused:boolean_mask", verdict=REFUSED, code=1, uses=NO, fixes=("dynamic-shape",)),
    Row("refused:routing", verdict=REFUSED, code=1, uses=NO, fixes=("value-as-index",)),
    Row("refused:shared_target", verdict=REFUSED, code=1, uses=NO, fixes=("in-place-shared",)),
    Row("refused:scatter_into_zeros", verdict=REFUSED, code=1, uses=NO, fixes=("in-place-shared",)),
    Row(
        "refused:momentum_of_none",
        code=1,
        verdict=REFUSED,
        uses=NO,
        fixes=("batch-norm-momentum", "batch-norm-samples"),
    ),
    Row(
        "refused:checkpointed",
        verdict="NOT FOR train (refused: torch.utils.checkpoint); right for predict",
        code=1,
        uses={"predict": "yes", "backward": "no"},
        fixes=("checkpoint",),
    ),
    Row("refused:checkpointed_reentrant", verdict=REFUSED, code=1, uses=NO, fixes=("checkpoint",)),
    Row("refused:old_function", verdict=REFUSED, code=1, uses=NO, fixes=("autograd-function",)),
    Row("refused:spectral_norm", verdict=REFUSED, code=1, uses=NO, fixes=("spectral-norm",)),
    Row("refused:Energy", verdict=REFUSED, code=1, uses=NO, fixes=("derivative-inside",)),
    Row("refused:prelu", verdict="RIGHT; refused: per_sample", uses={"per_sample": "no"}, fixes=("prelu",)),
    Row("wrong:SparseWeight", verdict=REFUSED, code=1, uses=NO, fixes=("sparse",)),
    Row("wrong:same_module", verdict="WRONG: members", code=1, uses={}, fixes=("same-module",)),
    Row("wrong:same_numbers", verdict="WRONG: members", code=1, uses={}, fixes=("same-numbers",)),
    Row("wrong:Attribute", verdict="WRONG: own_minibatch", code=1, uses=NO, fixes=("attributes",)),
    Row("wrong:Configuration", verdict="WRONG: own_minibatch", code=1, uses=NO, fixes=("attributes",)),
    Row("wrong:Remembering", verdict="WRONG: per_sample, chunks, other_stack, base_alone", code=1, fixes=("cache",)),
    Row("wrong:Autocast", verdict="WRONG: own_dtype", code=1),
    Row("wrong:Nothing", verdict="NO ANSWER: the plain module returns no numbers", code=4, uses={}),
)
ROWS = (*RIGHT, *RANDOM, *CAVEATS, *STOPPED)
