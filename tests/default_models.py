"""Cases of the default model that the engine and the plugin have to decide alike."""

#: Models of one task and their resolutions in metres; the first is the default where the image's is not known.
RESOLUTIONS = {"landcover-drone": 0.2, "landcover-lednet": 0.2, "landcover-satellite": 0.7}
#: Size of the image's pixels in metres, and the default model: the nearest by the ratio.
FITTING_MODELS = [
    (0.0, "landcover-drone"),
    (0.01, "landcover-drone"),
    (0.1, "landcover-drone"),
    (0.37, "landcover-drone"),  # 1.85 times as coarse as the one, 1.89 times as fine as the other
    (0.38, "landcover-satellite"),
    (0.6, "landcover-satellite"),
    (30.0, "landcover-satellite"),
]

#: The models in the plugin's zip. The task of a model is the first part of its name.
SMALL = ("landcover-lednet", "roads-efficientnet-lite2", "roads-lednet")
#: Task, names of bundled models, names of the person's models, and the default model (None where there is none).
DEFAULT_MODELS = [
    ("roads", SMALL, (), "roads-efficientnet-lite2"),
    ("landcover", SMALL, (), "landcover-lednet"),
    ("roads", (*SMALL, "roads-dlinknet34"), (), "roads-efficientnet-lite2"),  # a checkout of the repository
    ("roads", SMALL, ("roads-dlinknet34",), "roads-efficientnet-lite2"),  # installed from its zip
    ("roads", ("roads-lednet",), ("roads-dlinknet34",), "roads-dlinknet34"),
    ("roads", SMALL, ("roads-aaa",), "roads-efficientnet-lite2"),
    ("roads", (), ("roads-bbb", "roads-aaa"), "roads-aaa"),
    ("roads", ("roads-bbb",), ("roads-aaa",), "roads-bbb"),
    ("landcover", ("roads-lednet",), (), None),
    ("segmentation", SMALL, ("segmentation-own",), "segmentation-own"),
    ("segmentation", SMALL, (), "roads-efficientnet-lite2"),
    ("segmentation", (), (), None),
]
