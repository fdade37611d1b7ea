<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh">
<context>
    <name>TerraSpore</name>
    <message>
        <source>16 pixels</source>
        <translation>16 个像元</translation>
    </message>
    <message>
        <source>A file could not be written</source>
        <translation>无法写入文件</translation>
    </message>
    <message>
        <source>A library of the engine crashed (abort); QGIS is not affected.</source>
        <translation>引擎的某个库崩溃（abort）；QGIS 不受影响。</translation>
    </message>
    <message>
        <source>A library of the engine crashed (access violation); QGIS is not affected.</source>
        <translation>引擎的某个库崩溃（访问冲突）；QGIS 不受影响。</translation>
    </message>
    <message>
        <source>A library of the engine crashed (buffer overrun); QGIS is not affected.</source>
        <translation>引擎的某个库崩溃（缓冲区溢出）；QGIS 不受影响。</translation>
    </message>
    <message>
        <source>A library of the engine crashed (segmentation fault); QGIS is not affected.</source>
        <translation>引擎的某个库崩溃（段错误）；QGIS 不受影响。</translation>
    </message>
    <message>
        <source>A library of the engine crashed (stack overflow); QGIS is not affected.</source>
        <translation>引擎的某个库崩溃（栈溢出）；QGIS 不受影响。</translation>
    </message>
    <message>
        <source>A library of the engine needs a newer processor (illegal instruction).</source>
        <translation>引擎的某个库需要更新的处理器（非法指令）。</translation>
    </message>
    <message>
        <source>A library that the engine needs is missing on this computer.</source>
        <translation>本机缺少引擎所需的库。</translation>
    </message>
    <message>
        <source>A model's folder, its zip, or a .ckpt, .onnx or .mindir file</source>
        <translation>模型文件夹、其 zip 包，或 .ckpt、.onnx、.mindir 文件</translation>
    </message>
    <message>
        <source>A mosaic needs files; save the layer as one first.</source>
        <translation>镶嵌图需要文件；请先将图层保存为文件。</translation>
    </message>
    <message>
        <source>A name has letters, digits, dots, dashes and underscores, and begins with a letter or digit.</source>
        <translation>名称由字母、数字、点、连字符和下划线组成，并以字母或数字开头。</translation>
    </message>
    <message>
        <source>A package is not available for this Python and system</source>
        <translation>没有适用于此 Python 和系统的软件包</translation>
    </message>
    <message>
        <source>A packed model; its card is checked when it is added.</source>
        <translation>打包的模型；添加时会检查其模型卡。</translation>
    </message>
    <message>
        <source>A raster could not be read or written: {why}</source>
        <translation>无法读取或写入栅格：{why}</translation>
    </message>
    <message>
        <source>A result for each image</source>
        <translation>每幅影像各得一个结果</translation>
    </message>
    <message>
        <source>A run that was to write {name} came to {percent} % and ended on {date}.</source>
        <translation>写入 {name} 的运行进行到 {percent} % 后于 {date} 中断。</translation>
    </message>
    <message>
        <source>Accept (A)</source>
        <translation>接受 (A)</translation>
    </message>
    <message>
        <source>Accept road</source>
        <translation>接受道路</translation>
    </message>
    <message>
        <source>Accept, edit or delete roads first.</source>
        <translation>请先接受、编辑或删除道路。</translation>
    </message>
    <message>
        <source>Add Topology Rules</source>
        <translation>添加拓扑规则</translation>
    </message>
    <message>
        <source>Add a model</source>
        <translation>添加模型</translation>
    </message>
    <message>
        <source>Add a model…</source>
        <translation>添加模型…</translation>
    </message>
    <message>
        <source>Add a raster layer of your own, or try the demo image: a part of Las Vegas (SpaceNet, CC BY-SA 4.0).</source>
        <translation>请添加您自己的栅格图层，或试用演示影像：拉斯维加斯的一部分（SpaceNet，CC BY-SA 4.0）。</translation>
    </message>
    <message>
        <source>Add columns of OpenStreetMap</source>
        <translation>添加 OpenStreetMap 的字段</translation>
    </message>
    <message>
        <source>Add the demo image</source>
        <translation>添加演示影像</translation>
    </message>
    <message>
        <source>Also make</source>
        <translation>同时生成</translation>
    </message>
    <message>
        <source>Another program ended the engine.</source>
        <translation>引擎被其他程序终止。</translation>
    </message>
    <message>
        <source>Architecture</source>
        <translation>网络结构</translation>
    </message>
    <message>
        <source>Area</source>
        <translation>范围</translation>
    </message>
    <message>
        <source>Asset of STAC items</source>
        <translation>STAC 条目的资产</translation>
    </message>
    <message>
        <source>Average over eight flips and rotations (slower)</source>
        <translation>对八种翻转和旋转取平均（较慢）</translation>
    </message>
    <message>
        <source>Back (B)</source>
        <translation>上一处 (B)</translation>
    </message>
    <message>
        <source>Band</source>
        <translation>波段</translation>
    </message>
    <message>
        <source>Bands are numbers, such as 1,2,3.</source>
        <translation>波段应为数字，例如 1,2,3。</translation>
    </message>
    <message>
        <source>Bands, in the order of the model's</source>
        <translation>波段，按模型的顺序</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Cancelled; nothing was written.</source>
        <translation>已取消；未写入任何内容。</translation>
    </message>
    <message>
        <source>Cancelled; what was compiled so far is kept, and is not compiled again.</source>
        <translation>已取消；已编译的内容会保留，不会再次编译。</translation>
    </message>
    <message>
        <source>Carriageways closer than this are one</source>
        <translation>间距小于此值的车行道合并为一条</translation>
    </message>
    <message>
        <source>Check and add</source>
        <translation>检查并添加</translation>
    </message>
    <message>
        <source>Check that it shows something there at this scale, and your connection and proxy.</source>
        <translation>请检查该图层在此比例尺下是否有内容，以及您的网络连接和代理。</translation>
    </message>
    <message>
        <source>Checking the environment</source>
        <translation>正在检查环境</translation>
    </message>
    <message>
        <source>Checking the model</source>
        <translation>检查模型</translation>
    </message>
    <message>
        <source>Checking the model…</source>
        <translation>正在检查模型…</translation>
    </message>
    <message>
        <source>Choose "Read images from the network", or save the layer as a file first.</source>
        <translation>请选择“从网络读取影像”，或先将图层保存为文件。</translation>
    </message>
    <message>
        <source>Choose a model with a card, or give the resolution.</source>
        <translation>请选择带模型卡的模型，或给出分辨率。</translation>
    </message>
    <message>
        <source>Choose a name that ends in .gpkg; it holds all layers.</source>
        <translation>请选择以 .gpkg 结尾的名称；所有图层都保存在其中。</translation>
    </message>
    <message>
        <source>Choose a smaller area.</source>
        <translation>请选择更小的范围。</translation>
    </message>
    <message>
        <source>Choose a smaller tile, fewer threads or a smaller area.</source>
        <translation>请选择更小的分块、更少的线程或更小的区域。</translation>
    </message>
    <message>
        <source>Choose a weights file or a model's folder.</source>
        <translation>请选择权重文件或模型文件夹。</translation>
    </message>
    <message>
        <source>Choose another Python to make it from.</source>
        <translation>请另选一个用于创建环境的 Python。</translation>
    </message>
    <message>
        <source>Choose another area.</source>
        <translation>请另选范围。</translation>
    </message>
    <message>
        <source>Choose another device or runtime in Settings &gt; Options &gt; TerraSpore, or repair the engine there.</source>
        <translation>请在“设置 &gt; 选项 &gt; TerraSpore”中另选设备或运行时，或在那里修复引擎。</translation>
    </message>
    <message>
        <source>Choose another device or runtime in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>请在“设置 &gt; 选项 &gt; TerraSpore”中另选设备或运行时。</translation>
    </message>
    <message>
        <source>Choose another name.</source>
        <translation>请另选名称。</translation>
    </message>
    <message>
        <source>Choose others.</source>
        <translation>请另选多边形。</translation>
    </message>
    <message>
        <source>Choose the folder that was filled with `pip download` on a machine with network.</source>
        <translation>请选择在联网机器上用 `pip download` 下载的文件夹。</translation>
    </message>
    <message>
        <source>Choose the layer Roads of a GeoPackage that Extract Roads or Make Vectors has written.</source>
        <translation>请选择由“提取道路”或“生成矢量”写入的 GeoPackage 中的道路图层。</translation>
    </message>
    <message>
        <source>Choose the roads to review.</source>
        <translation>请选择要检查的道路。</translation>
    </message>
    <message>
        <source>Classes</source>
        <translation>类别</translation>
    </message>
    <message>
        <source>Classes of another model</source>
        <translation>其他模型的类别</translation>
    </message>
    <message>
        <source>Classes with right angles</source>
        <translation>取直角的类别</translation>
    </message>
    <message>
        <source>Classes, in the order of the channels</source>
        <translation>类别，按通道顺序</translation>
    </message>
    <message>
        <source>Classifies an aerial or satellite image and writes the land cover as polygons without gaps and overlaps, with class and confidence, into a GeoPackage. The image may be a file or an online layer (XYZ, WMS, WMTS, WCS, ArcGIS). Limit the work with a rectangle or with polygons; tiles outside are skipped.</source>
        <translation>对航空或卫星影像进行分类，将土地覆盖写成无缝隙、无重叠的多边形（含类别和置信度），保存到 GeoPackage。影像可以是文件或在线图层（XYZ、WMS、WMTS、WCS、ArcGIS）。可用矩形或多边形限定范围；范围外的瓦片会被跳过。</translation>
    </message>
    <message>
        <source>Close other programs that use it and try again.</source>
        <translation>请关闭正在使用它的其他程序，然后重试。</translation>
    </message>
    <message>
        <source>Column with the class of polygons</source>
        <translation>含多边形类别的列</translation>
    </message>
    <message>
        <source>Compare with Surveyed Data</source>
        <translation>与测量数据比较</translation>
    </message>
    <message>
        <source>Computation</source>
        <translation>计算</translation>
    </message>
    <message>
        <source>Computing</source>
        <translation>正在计算</translation>
    </message>
    <message>
        <source>Confidence</source>
        <translation>置信度</translation>
    </message>
    <message>
        <source>Continue from {percent} %</source>
        <translation>从 {percent} % 继续</translation>
    </message>
    <message>
        <source>Continue the unfinished run of this output</source>
        <translation>继续该输出未完成的运行</translation>
    </message>
    <message>
        <source>Create</source>
        <translation>创建</translation>
    </message>
    <message>
        <source>Create (download)</source>
        <translation>创建（下载）</translation>
    </message>
    <message>
        <source>Create from a folder of wheels…</source>
        <translation>从 wheel 文件夹创建…</translation>
    </message>
    <message>
        <source>Create it again in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>请在“设置 &gt; 选项 &gt; TerraSpore”中重新创建。</translation>
    </message>
    <message>
        <source>Creating the engine's environment</source>
        <translation>正在创建引擎环境</translation>
    </message>
    <message>
        <source>Cuts an image and labelled vectors into pairs of small images and masks, in the layout that `terraspore train` reads. Lines are drawn as wide as the field or number says; a class field gives the values of the masks. Where polygons say what was checked, pixels outside of them are not labelled.</source>
        <translation>将影像和带标签的矢量切割成成对的小影像和掩膜，格式可由 `terraspore train` 读取。线按字段或数值给出的宽度绘制；类别字段给出掩膜的值。若用多边形指明已检查的范围，则其外的像素不带标签。</translation>
    </message>
    <message>
        <source>Dask scheduler</source>
        <translation>Dask 调度器</translation>
    </message>
    <message>
        <source>Delete (D)</source>
        <translation>删除 (D)</translation>
    </message>
    <message>
        <source>Delete road</source>
        <translation>删除道路</translation>
    </message>
    <message>
        <source>Deviation of each band</source>
        <translation>各波段的标准差</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>设备</translation>
    </message>
    <message>
        <source>Download: {download}; on the disk: {disk}; about {n} min at {speed} Mbit/s.</source>
        <translation>下载：{download}；占用磁盘：{disk}；在 {speed} Mbit/s 下约 {n} 分钟。</translation>
    </message>
    <message>
        <source>Draw a rectangle on the map.</source>
        <translation>请在地图上绘制矩形。</translation>
    </message>
    <message>
        <source>Draw it again.</source>
        <translation>请重新绘制。</translation>
    </message>
    <message>
        <source>Draw on the map</source>
        <translation>在地图上绘制</translation>
    </message>
    <message>
        <source>Edge of a chip in pixels</source>
        <translation>样本边长（像素）</translation>
    </message>
    <message>
        <source>Edge of a tile</source>
        <translation>瓦片边长</translation>
    </message>
    <message>
        <source>Edge of a tile in pixels</source>
        <translation>瓦片边长（像素）</translation>
    </message>
    <message>
        <source>Edit (E)</source>
        <translation>编辑 (E)</translation>
    </message>
    <message>
        <source>Empty the cache</source>
        <translation>清空缓存</translation>
    </message>
    <message>
        <source>End an engine without answer after seconds</source>
        <translation>引擎无响应多少秒后结束</translation>
    </message>
    <message>
        <source>Environment for</source>
        <translation>环境用于</translation>
    </message>
    <message>
        <source>Existing interpreter instead</source>
        <translation>改用已有解释器</translation>
    </message>
    <message>
        <source>Existing roads to find changes of</source>
        <translation>用于查找变化的现有道路</translation>
    </message>
    <message>
        <source>Extract Land Cover</source>
        <translation>提取土地覆盖</translation>
    </message>
    <message>
        <source>Extract Roads</source>
        <translation>提取道路</translation>
    </message>
    <message>
        <source>Extracts roads or land cover of each image of a folder or of a list of layers, and writes a result for each into a folder: a GeoPackage, or a raster of classes for other models. Goes on after an image that fails, and says at the end which did and why. Results that exist are skipped if the batch is continued. For one result of all images use Extract Roads or Extract Land Cover with further images.</source>
        <translation>从文件夹或图层列表的每幅影像中提取道路或土地覆盖，并为每幅影像在文件夹中写出一个结果：GeoPackage，或其他模型的类别栅格。某幅影像失败后继续处理，最后说明哪些失败及原因。继续批处理时跳过已有的结果。若要所有影像合成一个结果，请使用“提取道路”或“提取土地覆盖”并添加更多影像。</translation>
    </message>
    <message>
        <source>Fetching the image at {resolution} m</source>
        <translation>正在以 {resolution} 米分辨率获取影像</translation>
    </message>
    <message>
        <source>Field with the class (empty: one class)</source>
        <translation>类别字段（留空：单一类别）</translation>
    </message>
    <message>
        <source>Field with the width of lines in m</source>
        <translation>线宽字段（米）</translation>
    </message>
    <message>
        <source>File</source>
        <translation>文件</translation>
    </message>
    <message>
        <source>Finds roads in an aerial or satellite image and writes them as a network of centre lines with width and confidence, with its nodes and the areas of the roads, into one GeoPackage. The image may be a file or an online layer (XYZ, WMS, WMTS, WCS, ArcGIS). Limit the work with a rectangle or with polygons; tiles outside are skipped. Keep the probability raster to make the lines again with another threshold without a new computation.</source>
        <translation>在航空或卫星影像中查找道路，将其写成带宽度和置信度的中心线网络，连同节点和道路面一起保存到一个 GeoPackage。影像可以是文件或在线图层（XYZ、WMS、WMTS、WCS、ArcGIS）。可用矩形或多边形限定范围；范围外的瓦片会被跳过。保留概率栅格，即可用其他阈值重新生成道路线而无需重新计算。</translation>
    </message>
    <message>
        <source>Folder for compiled models</source>
        <translation>已编译模型的文件夹</translation>
    </message>
    <message>
        <source>Folder of chips</source>
        <translation>样本文件夹</translation>
    </message>
    <message>
        <source>Folder of images</source>
        <translation>影像文件夹</translation>
    </message>
    <message>
        <source>Folder of results</source>
        <translation>结果文件夹</translation>
    </message>
    <message>
        <source>Folder of wheels</source>
        <translation>wheel 文件夹</translation>
    </message>
    <message>
        <source>Folder of your models</source>
        <translation>您的模型文件夹</translation>
    </message>
    <message>
        <source>Folder with further images of the mosaic</source>
        <translation>镶嵌图更多影像所在的文件夹</translation>
    </message>
    <message>
        <source>Folder…</source>
        <translation>文件夹…</translation>
    </message>
    <message>
        <source>Further images, which form a mosaic with the first and lie below it</source>
        <translation>与第一幅组成镶嵌图并位于其下的更多影像</translation>
    </message>
    <message>
        <source>Ground resolution</source>
        <translation>地面分辨率</translation>
    </message>
    <message>
        <source>Ground resolution in m</source>
        <translation>地面分辨率（米）</translation>
    </message>
    <message>
        <source>Ground resolution in m (empty: the image's)</source>
        <translation>地面分辨率（米；留空：影像的）</translation>
    </message>
    <message>
        <source>Hide roads (H)</source>
        <translation>隐藏道路 (H)</translation>
    </message>
    <message>
        <source>Ignore the alpha band</source>
        <translation>忽略透明通道</translation>
    </message>
    <message>
        <source>Image</source>
        <translation>影像</translation>
    </message>
    <message>
        <source>Image in the file</source>
        <translation>文件中的影像</translation>
    </message>
    <message>
        <source>Images</source>
        <translation>影像</translation>
    </message>
    <message>
        <source>Images skipped</source>
        <translation>跳过的影像</translation>
    </message>
    <message>
        <source>Images that are done</source>
        <translation>已完成的影像</translation>
    </message>
    <message>
        <source>Images that failed</source>
        <translation>失败的影像</translation>
    </message>
    <message>
        <source>Inference engine</source>
        <translation>推理引擎</translation>
    </message>
    <message>
        <source>Install Python {versions}, or choose one under “Python to make it from”.</source>
        <translation>请安装 Python {versions}，或在“用于创建环境的 Python”中选择一个。</translation>
    </message>
    <message>
        <source>Installed: {python}</source>
        <translation>已安装：{python}</translation>
    </message>
    <message>
        <source>Installing accelerators</source>
        <translation>正在安装加速组件</translation>
    </message>
    <message>
        <source>Installing the engine's packages</source>
        <translation>正在安装引擎的软件包</translation>
    </message>
    <message>
        <source>It has no card. Empty fields are taken from the file.</source>
        <translation>它没有模型卡。留空的字段取自文件。</translation>
    </message>
    <message>
        <source>It shows</source>
        <translation>内容</translation>
    </message>
    <message>
        <source>Its file may be read-only or open in another program.</source>
        <translation>其文件可能是只读的，或已在其他程序中打开。</translation>
    </message>
    <message>
        <source>Its last message: {line}</source>
        <translation>最后一条消息：{line}</translation>
    </message>
    <message>
        <source>Its plan is made when it has been fetched.</source>
        <translation>获取影像之后才会制定计划。</translation>
    </message>
    <message>
        <source>Keep the engine loaded for minutes</source>
        <translation>引擎保持加载的分钟数</translation>
    </message>
    <message>
        <source>Keep the image's contrast</source>
        <translation>保持影像的对比度</translation>
    </message>
    <message>
        <source>Labelled lines or polygons</source>
        <translation>带标注的线或多边形</translation>
    </message>
    <message>
        <source>Land cover</source>
        <translation>土地覆盖</translation>
    </message>
    <message>
        <source>Land cover from drone and aerial imagery at 0.2 m (LEDNet)</source>
        <translation>无人机和航空影像的土地覆盖，0.2 米（LEDNet）</translation>
    </message>
    <message>
        <source>Land cover from drone imagery at 0.2 m (EfficientNet-Lite2)</source>
        <translation>无人机影像的土地覆盖，0.2 米（EfficientNet-Lite2）</translation>
    </message>
    <message>
        <source>Land cover from satellite imagery at 0.7 m (EfficientNet-Lite2)</source>
        <translation>卫星影像的土地覆盖，0.7 米（EfficientNet-Lite2）</translation>
    </message>
    <message>
        <source>Land-cover classes</source>
        <translation>土地覆盖类别</translation>
    </message>
    <message>
        <source>Largest angle of a closed gap</source>
        <translation>连接间隙的最大角度</translation>
    </message>
    <message>
        <source>Largest distance between matching lines</source>
        <translation>匹配的线之间的最大距离</translation>
    </message>
    <message>
        <source>Largest distance of a pair of carriageways</source>
        <translation>成对车行道的最大距离</translation>
    </message>
    <message>
        <source>Largest distance of lines of the same road</source>
        <translation>同一道路的线之间的最大距离</translation>
    </message>
    <message>
        <source>Largest error of right angles</source>
        <translation>直角化的最大误差</translation>
    </message>
    <message>
        <source>Largest hole that is closed</source>
        <translation>被填补的最大孔洞</translation>
    </message>
    <message>
        <source>Las Vegas (demo)</source>
        <translation>拉斯维加斯（演示）</translation>
    </message>
    <message>
        <source>Layer of the polygons</source>
        <translation>多边形所在的图层</translation>
    </message>
    <message>
        <source>Length of roads in m</source>
        <translation>道路长度（米）</translation>
    </message>
    <message>
        <source>Limit of that folder in MB</source>
        <translation>该文件夹的上限（MB）</translation>
    </message>
    <message>
        <source>Load the model, and say how long the run takes and how much memory it needs</source>
        <translation>加载模型，并说明运行所需的时间和内存</translation>
    </message>
    <message>
        <source>Loading the model…</source>
        <translation>正在加载模型…</translation>
    </message>
    <message>
        <source>Log</source>
        <translation>日志</translation>
    </message>
    <message>
        <source>Longest dead end that is dropped</source>
        <translation>被舍弃的断头路的最大长度</translation>
    </message>
    <message>
        <source>Longest gap that is closed</source>
        <translation>被连接的间隙的最大长度</translation>
    </message>
    <message>
        <source>Make Vectors from a Probability Raster</source>
        <translation>由概率栅格生成矢量</translation>
    </message>
    <message>
        <source>Make the areas of roads, too</source>
        <translation>同时生成道路面</translation>
    </message>
    <message>
        <source>Makes road lines from a raster of road probabilities, or land-cover polygons from a raster of classes, with another threshold or simplification and without a new computation of the network. Rasters of other programs work too: probabilities in any unit, masks and classes. What the values mean is decided by the raster, or chosen under the advanced parameters.</source>
        <translation>由道路概率栅格生成道路线，或由类别栅格生成土地覆盖多边形，可使用其他阈值或简化程度，无需重新运行网络。其他程序的栅格也可使用：任意单位的概率、掩膜和类别。数值的含义由栅格决定，也可在高级参数中选择。</translation>
    </message>
    <message>
        <source>Making an empty environment</source>
        <translation>正在创建空环境</translation>
    </message>
    <message>
        <source>Making vectors</source>
        <translation>正在生成矢量</translation>
    </message>
    <message>
        <source>Mean of each band (of values divided by 255)</source>
        <translation>各波段均值（像元值除以 255）</translation>
    </message>
    <message>
        <source>Meaning of the values</source>
        <translation>数值的含义</translation>
    </message>
    <message>
        <source>Measures how well a result agrees with surveyed data. Road lines against lines: completeness, correctness, APLS, TOPO and junctions. Rasters of classes against each other: accuracy, IoU and kappa; with a threshold, masks of roads. Polygons of land cover against a raster of classes: gaps, overlaps and agreement. The metrics are in the log, and in a table where a file is given.</source>
        <translation>衡量结果与测量数据的一致程度。道路线与线比较：完整率、正确率、APLS、TOPO 和路口。类别栅格之间比较：精度、IoU 和 kappa；给出阈值时比较道路掩膜。土地覆盖多边形与类别栅格比较：缝隙、重叠和一致率。指标见日志；若指定文件，则还写入表格。</translation>
    </message>
    <message>
        <source>Memory limit in MB</source>
        <translation>内存上限（MB）</translation>
    </message>
    <message>
        <source>MindSpore (Ascend, processor)</source>
        <translation>MindSpore（昇腾、处理器）</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Model (empty: the default)</source>
        <translation>模型（留空：默认）</translation>
    </message>
    <message>
        <source>Model's folder</source>
        <translation>模型文件夹</translation>
    </message>
    <message>
        <source>Model: name, folder or file</source>
        <translation>模型：名称、文件夹或文件</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>More</source>
        <translation>更多</translation>
    </message>
    <message>
        <source>NVIDIA graphics card (ONNX Runtime for CUDA)</source>
        <translation>NVIDIA 显卡（ONNX Runtime CUDA 版）</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>名称</translation>
    </message>
    <message>
        <source>Name of the layer</source>
        <translation>图层名称</translation>
    </message>
    <message>
        <source>Next (N)</source>
        <translation>下一处 (N)</translation>
    </message>
    <message>
        <source>No Python was found from which an environment can be made.</source>
        <translation>未找到可用于创建环境的 Python。</translation>
    </message>
    <message>
        <source>No place was reviewed yet.</source>
        <translation>尚未检查任何位置。</translation>
    </message>
    <message>
        <source>No rule was added: the rules are there already, or the project has no layer that they are for.</source>
        <translation>未添加规则：规则已存在，或工程中没有适用的图层。</translation>
    </message>
    <message>
        <source>Number of bands</source>
        <translation>波段数</translation>
    </message>
    <message>
        <source>Number of models: {n}</source>
        <translation>模型数：{n}</translation>
    </message>
    <message>
        <source>Number of polygons</source>
        <translation>多边形数</translation>
    </message>
    <message>
        <source>Number of roads</source>
        <translation>道路数</translation>
    </message>
    <message>
        <source>Number type</source>
        <translation>数值类型</translation>
    </message>
    <message>
        <source>One mosaic with {n} more layers: {names}</source>
        <translation>与另外 {n} 个图层组成一幅镶嵌图：{names}</translation>
    </message>
    <message>
        <source>Only this class</source>
        <translation>仅此类别</translation>
    </message>
    <message>
        <source>Open the folder</source>
        <translation>打开文件夹</translation>
    </message>
    <message>
        <source>Open the options</source>
        <translation>打开选项</translation>
    </message>
    <message>
        <source>Other segmentation</source>
        <translation>其他分割</translation>
    </message>
    <message>
        <source>Output of the network, if it has several</source>
        <translation>网络的输出（如有多个）</translation>
    </message>
    <message>
        <source>Overlap of tiles in pixels</source>
        <translation>瓦片重叠（像素）</translation>
    </message>
    <message>
        <source>Package index</source>
        <translation>软件包索引</translation>
    </message>
    <message>
        <source>Packages are downloaded from {index} into {folder}. QGIS's own Python is not changed.</source>
        <translation>将从 {index} 下载软件包到 {folder}。QGIS 自身的 Python 不会改变。</translation>
    </message>
    <message>
        <source>Plan</source>
        <translation>计划</translation>
    </message>
    <message>
        <source>Planning</source>
        <translation>正在制定计划</translation>
    </message>
    <message>
        <source>Polygons</source>
        <translation>多边形</translation>
    </message>
    <message>
        <source>Polygons of a layer</source>
        <translation>图层的多边形</translation>
    </message>
    <message>
        <source>Polygons that were checked (empty: the whole image)</source>
        <translation>已检查范围的多边形（留空：整幅影像）</translation>
    </message>
    <message>
        <source>Polygons to work in</source>
        <translation>处理范围多边形</translation>
    </message>
    <message>
        <source>Polygons within which they are compared</source>
        <translation>限定比较范围的多边形</translation>
    </message>
    <message>
        <source>Preparing the engine for its first run, about {n} s</source>
        <translation>正在为首次运行准备引擎，约 {n} 秒</translation>
    </message>
    <message>
        <source>Preparing the inference engine</source>
        <translation>正在准备推理引擎</translation>
    </message>
    <message>
        <source>Probabilities</source>
        <translation>概率</translation>
    </message>
    <message>
        <source>Probability of one unit of the values</source>
        <translation>每个数值单位对应的概率</translation>
    </message>
    <message>
        <source>Probability that a connected piece must reach</source>
        <translation>连通段须达到的概率</translation>
    </message>
    <message>
        <source>Process Many Images One by One</source>
        <translation>逐幅处理多幅影像</translation>
    </message>
    <message>
        <source>Processor (OpenVINO, ONNX Runtime)</source>
        <translation>处理器（OpenVINO、ONNX Runtime）</translation>
    </message>
    <message>
        <source>Protected class</source>
        <translation>受保护的类别</translation>
    </message>
    <message>
        <source>Python to make it from</source>
        <translation>用于创建环境的 Python</translation>
    </message>
    <message>
        <source>Raster</source>
        <translation>栅格</translation>
    </message>
    <message>
        <source>Raster of classes</source>
        <translation>类别栅格</translation>
    </message>
    <message>
        <source>Raster of probabilities or classes</source>
        <translation>概率或类别栅格</translation>
    </message>
    <message>
        <source>Raster of the probabilities of classes</source>
        <translation>类别概率栅格</translation>
    </message>
    <message>
        <source>Read images from the network</source>
        <translation>从网络读取影像</translation>
    </message>
    <message>
        <source>Reading</source>
        <translation>正在读取</translation>
    </message>
    <message>
        <source>Rectangle</source>
        <translation>矩形</translation>
    </message>
    <message>
        <source>Rectangle to work on</source>
        <translation>处理范围矩形</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>移除</translation>
    </message>
    <message>
        <source>Remove its layer from the project, or choose another file.</source>
        <translation>请从工程中移除其图层，或选择其他文件。</translation>
    </message>
    <message>
        <source>Removing the engine's environment</source>
        <translation>正在移除引擎环境</translation>
    </message>
    <message>
        <source>Repair (download)</source>
        <translation>修复（下载）</translation>
    </message>
    <message>
        <source>Repair or choose the engine's environment in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>请在“设置 &gt; 选项 &gt; TerraSpore”中修复或选择引擎的环境。</translation>
    </message>
    <message>
        <source>Repair the engine in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>请在“设置 &gt; 选项 &gt; TerraSpore”中修复引擎。</translation>
    </message>
    <message>
        <source>Replace what exists</source>
        <translation>替换已有内容</translation>
    </message>
    <message>
        <source>Restore defaults</source>
        <translation>恢复默认值</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>结果</translation>
    </message>
    <message>
        <source>Result in one sentence</source>
        <translation>一句话结果</translation>
    </message>
    <message>
        <source>Review</source>
        <translation>检查</translation>
    </message>
    <message>
        <source>Review Roads</source>
        <translation>检查道路</translation>
    </message>
    <message>
        <source>Reviewed area</source>
        <translation>已检查的范围</translation>
    </message>
    <message>
        <source>Road areas</source>
        <translation>道路面</translation>
    </message>
    <message>
        <source>Road changes</source>
        <translation>道路变化</translation>
    </message>
    <message>
        <source>Road mask</source>
        <translation>道路掩膜</translation>
    </message>
    <message>
        <source>Road nodes</source>
        <translation>道路节点</translation>
    </message>
    <message>
        <source>Road probability</source>
        <translation>道路概率</translation>
    </message>
    <message>
        <source>Road probability (for other thresholds later)</source>
        <translation>道路概率（供以后使用其他阈值）</translation>
    </message>
    <message>
        <source>Roads</source>
        <translation>道路</translation>
    </message>
    <message>
        <source>Roads from aerial and satellite imagery at 1 m (D-LinkNet34)</source>
        <translation>航空和卫星影像的道路，1 米（D-LinkNet34）</translation>
    </message>
    <message>
        <source>Roads from aerial and satellite imagery at 1 m (EfficientNet-Lite2)</source>
        <translation>航空和卫星影像的道路，1 米（EfficientNet-Lite2）</translation>
    </message>
    <message>
        <source>Roads from aerial and satellite imagery at 1 m, small and fast (LEDNet)</source>
        <translation>航空和卫星影像的道路，1 米，小而快（LEDNet）</translation>
    </message>
    <message>
        <source>Rows at a time</source>
        <translation>每次处理的行数</translation>
    </message>
    <message>
        <source>Rules of APLS and TOPO</source>
        <translation>APLS 和 TOPO 的规则</translation>
    </message>
    <message>
        <source>Runs a segmentation model of your own over an image: a model folder with its card, or a .ckpt, .onnx or .mindir file that was added in Settings &gt; Options &gt; TerraSpore. Writes a raster of classes and, where asked for, polygons. The image may be a file or an online layer.</source>
        <translation>在影像上运行您自己的分割模型：带模型卡的模型文件夹，或在“设置 &gt; 选项 &gt; TerraSpore”中添加的 .ckpt、.onnx 或 .mindir 文件。输出类别栅格，并可按需输出多边形。影像可以是文件或在线图层。</translation>
    </message>
    <message>
        <source>Runtime</source>
        <translation>运行时</translation>
    </message>
    <message>
        <source>Save them first.</source>
        <translation>请先保存。</translation>
    </message>
    <message>
        <source>Save to</source>
        <translation>保存到</translation>
    </message>
    <message>
        <source>Segment with Another Model</source>
        <translation>用其他模型分割</translation>
    </message>
    <message>
        <source>Segmentation</source>
        <translation>分割</translation>
    </message>
    <message>
        <source>Select polygons, or choose another area.</source>
        <translation>请选中多边形，或另选范围。</translation>
    </message>
    <message>
        <source>Set it in the layer's properties.</source>
        <translation>请在图层属性中设置。</translation>
    </message>
    <message>
        <source>Set up TerraSpore</source>
        <translation>安装 TerraSpore</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>设置</translation>
    </message>
    <message>
        <source>Shortest connected piece of road</source>
        <translation>道路连通段的最小长度</translation>
    </message>
    <message>
        <source>Simplification</source>
        <translation>简化</translation>
    </message>
    <message>
        <source>Simplification of areas</source>
        <translation>面的简化</translation>
    </message>
    <message>
        <source>Size and time</source>
        <translation>大小与时间</translation>
    </message>
    <message>
        <source>Size of a pixel</source>
        <translation>像元大小</translation>
    </message>
    <message>
        <source>Skip images whose results exist</source>
        <translation>跳过已有结果的影像</translation>
    </message>
    <message>
        <source>Smaller tiles need less memory</source>
        <translation>瓦片越小，占用内存越少</translation>
    </message>
    <message>
        <source>Smallest polygon</source>
        <translation>最小多边形</translation>
    </message>
    <message>
        <source>Smallest polygon of a class</source>
        <translation>某类别的最小多边形</translation>
    </message>
    <message>
        <source>Smallest road area</source>
        <translation>最小道路面</translation>
    </message>
    <message>
        <source>Smooth borders</source>
        <translation>平滑边界</translation>
    </message>
    <message>
        <source>Smoothing of lines</source>
        <translation>线的平滑</translation>
    </message>
    <message>
        <source>Smoothing of the probabilities</source>
        <translation>概率的平滑</translation>
    </message>
    <message>
        <source>Start anew</source>
        <translation>重新开始</translation>
    </message>
    <message>
        <source>State</source>
        <translation>状态</translation>
    </message>
    <message>
        <source>Surveyed data</source>
        <translation>测量数据</translation>
    </message>
    <message>
        <source>Table of the metrics</source>
        <translation>指标表格</translation>
    </message>
    <message>
        <source>Task</source>
        <translation>任务</translation>
    </message>
    <message>
        <source>TerraSpore computes in a Python environment of its own, outside of QGIS, whose own Python is not changed. It is not there yet. Create it now? What you clicked starts as soon as it is ready.</source>
        <translation>TerraSpore 在 QGIS 之外的专用 Python 环境中计算，QGIS 自身的 Python 不会改变。该环境尚未创建。现在创建吗？创建完成后，将立即打开您点击的功能。</translation>
    </message>
    <message>
        <source>Test engine</source>
        <translation>测试引擎</translation>
    </message>
    <message>
        <source>Testing the engine</source>
        <translation>正在测试引擎</translation>
    </message>
    <message>
        <source>The Python from which the engine's environment was made is gone, perhaps by an update of QGIS.</source>
        <translation>创建引擎环境所用的 Python 已不存在，可能是因为 QGIS 已更新。</translation>
    </message>
    <message>
        <source>The area could not be written to {path}: {reason}.</source>
        <translation>无法将范围写入 {path}：{reason}。</translation>
    </message>
    <message>
        <source>The area lies outside of the layer {layer}.</source>
        <translation>范围位于图层 {layer} 之外。</translation>
    </message>
    <message>
        <source>The area lies outside of the layer.</source>
        <translation>范围位于图层之外。</translation>
    </message>
    <message>
        <source>The area of {layer} has {width} × {height} pixels, too many to fetch from a service in one run.</source>
        <translation>{layer} 的范围有 {width} × {height} 像素，一次运行无法从服务获取这么多。</translation>
    </message>
    <message>
        <source>The available packages are not compatible with each other</source>
        <translation>可用的软件包互不兼容</translation>
    </message>
    <message>
        <source>The card cannot be read.</source>
        <translation>无法读取模型卡。</translation>
    </message>
    <message>
        <source>The chosen interpreter {path} does not exist. Choose another in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>所选解释器 {path} 不存在。请在“设置 &gt; 选项 &gt; TerraSpore”中另选一个。</translation>
    </message>
    <message>
        <source>The command for the engine is too long.</source>
        <translation>发给引擎的命令过长。</translation>
    </message>
    <message>
        <source>The computer ran out of memory during the run.</source>
        <translation>运行期间计算机内存不足。</translation>
    </message>
    <message>
        <source>The connection's certificate is not trusted (a proxy that inspects TLS?)</source>
        <translation>连接的证书不受信任（代理在检查 TLS？）</translation>
    </message>
    <message>
        <source>The deleted roads could not be stored in {path}: {reason}.</source>
        <translation>无法将删除的道路保存到 {path}：{reason}。</translation>
    </message>
    <message>
        <source>The disk is full</source>
        <translation>磁盘已满</translation>
    </message>
    <message>
        <source>The edits of {name} are not saved.</source>
        <translation>{name} 的编辑尚未保存。</translation>
    </message>
    <message>
        <source>The engine could not read a file or memory (bus error); the disk may be full.</source>
        <translation>引擎无法读取文件或内存（总线错误）；磁盘可能已满。</translation>
    </message>
    <message>
        <source>The engine did not answer for {seconds} seconds and was ended.</source>
        <translation>引擎在 {seconds} 秒内没有响应，已被终止。</translation>
    </message>
    <message>
        <source>The engine does not follow the machine protocol and was ended: {reason}.</source>
        <translation>引擎不遵守通信协议，已被终止：{reason}。</translation>
    </message>
    <message>
        <source>The engine does not start in the new environment: {reason}.</source>
        <translation>引擎无法在新环境中启动：{reason}。</translation>
    </message>
    <message>
        <source>The engine ended because memory ran out.</source>
        <translation>内存耗尽，引擎已终止。</translation>
    </message>
    <message>
        <source>The engine ended unexpectedly (exit code {code}).</source>
        <translation>引擎意外终止（退出码 {code}）。</translation>
    </message>
    <message>
        <source>The engine gave no plan.</source>
        <translation>引擎没有给出计划。</translation>
    </message>
    <message>
        <source>The engine made no progress for {seconds} seconds and was ended.</source>
        <translation>引擎在 {seconds} 秒内没有进展，已被终止。</translation>
    </message>
    <message>
        <source>The engine's environment is incomplete: {line}</source>
        <translation>引擎的环境不完整：{line}</translation>
    </message>
    <message>
        <source>The engine's interpreter {program} does not start: {reason}.</source>
        <translation>引擎的解释器 {program} 无法启动：{reason}。</translation>
    </message>
    <message>
        <source>The environment is ready: {python}</source>
        <translation>环境已就绪：{python}</translation>
    </message>
    <message>
        <source>The environment {folder} could not be made: {reason}.</source>
        <translation>无法创建环境 {folder}：{reason}。</translation>
    </message>
    <message>
        <source>The environment {folder} could not be removed: {reason}.</source>
        <translation>无法删除环境 {folder}：{reason}。</translation>
    </message>
    <message>
        <source>The environment {folder} is already being set up or removed.</source>
        <translation>环境 {folder} 正在被创建或删除。</translation>
    </message>
    <message>
        <source>The environment {folder} is removed.</source>
        <translation>将移除环境 {folder}。</translation>
    </message>
    <message>
        <source>The file {path} cannot be read: {reason}.</source>
        <translation>无法读取文件 {path}：{reason}。</translation>
    </message>
    <message>
        <source>The inference engine is not installed yet. Create its environment in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>推理引擎尚未安装。请在“设置 &gt; 选项 &gt; TerraSpore”中创建其环境。</translation>
    </message>
    <message>
        <source>The labelled vectors cannot be read.</source>
        <translation>无法读取带标注的矢量。</translation>
    </message>
    <message>
        <source>The labels could not be written: {reason}.</source>
        <translation>无法写入标注：{reason}。</translation>
    </message>
    <message>
        <source>The layer {layer} cannot be read; its source may have moved.</source>
        <translation>无法读取图层 {layer}；其数据源可能已移动。</translation>
    </message>
    <message>
        <source>The layer {layer} gave no image for this area.</source>
        <translation>图层 {layer} 在此范围内没有给出影像。</translation>
    </message>
    <message>
        <source>The layer {layer} has a pixel type that cannot be used.</source>
        <translation>图层 {layer} 的像元类型无法使用。</translation>
    </message>
    <message>
        <source>The layer {layer} has no CRS.</source>
        <translation>图层 {layer} 没有坐标参照系。</translation>
    </message>
    <message>
        <source>The layer {layer} has no scale in this area.</source>
        <translation>图层 {layer} 在此范围内没有比例尺。</translation>
    </message>
    <message>
        <source>The layer {layer} is on the network.</source>
        <translation>图层 {layer} 位于网络上。</translation>
    </message>
    <message>
        <source>The layer {name} cannot be edited.</source>
        <translation>图层 {name} 无法编辑。</translation>
    </message>
    <message>
        <source>The layer {name} has no column {column}.</source>
        <translation>图层 {name} 没有字段 {column}。</translation>
    </message>
    <message>
        <source>The layer {name} is not in a GeoPackage.</source>
        <translation>图层 {name} 不在 GeoPackage 中。</translation>
    </message>
    <message>
        <source>The log has {n} more warnings.</source>
        <translation>日志中还有 {n} 条警告。</translation>
    </message>
    <message>
        <source>The log is {file}.</source>
        <translation>日志文件：{file}。</translation>
    </message>
    <message>
        <source>The mask {file} cannot be replaced, because QGIS or another program has it open.</source>
        <translation>无法替换掩膜 {file}，因为 QGIS 或其他程序正打开它。</translation>
    </message>
    <message>
        <source>The mask {file} cannot be written: {reason}.</source>
        <translation>无法写入掩膜 {file}：{reason}。</translation>
    </message>
    <message>
        <source>The mask {path} would replace the image.</source>
        <translation>掩膜 {path} 会替换影像。</translation>
    </message>
    <message>
        <source>The model {lost} that the settings name is not there; {model} is used.</source>
        <translation>设置中指定的模型 {lost} 不存在；将使用 {model}。</translation>
    </message>
    <message>
        <source>The new environment cannot be used: {reason}.</source>
        <translation>新环境无法使用：{reason}。</translation>
    </message>
    <message>
        <source>The new mask is kept as {file}.</source>
        <translation>新的掩膜已保存为 {file}。</translation>
    </message>
    <message>
        <source>The output {name} is not a GeoPackage.</source>
        <translation>输出 {name} 不是 GeoPackage。</translation>
    </message>
    <message>
        <source>The package index cannot be reached</source>
        <translation>无法连接软件包索引</translation>
    </message>
    <message>
        <source>The path of the folder of environments is too long for Windows</source>
        <translation>环境文件夹的路径对 Windows 来说过长</translation>
    </message>
    <message>
        <source>The plugin failed: {error}. The log has the details; please report it.</source>
        <translation>插件出错：{error}。详情见日志；请报告此问题。</translation>
    </message>
    <message>
        <source>The plugin's folder is incomplete: {path} is missing. Install the plugin again.</source>
        <translation>插件文件夹不完整：缺少 {path}。请重新安装插件。</translation>
    </message>
    <message>
        <source>The polygons cannot be transformed to the image's CRS.</source>
        <translation>无法将多边形转换到影像的坐标参照系。</translation>
    </message>
    <message>
        <source>The probability raster {path} cannot be read.</source>
        <translation>无法读取概率栅格 {path}。</translation>
    </message>
    <message>
        <source>The proxy refused the connection</source>
        <translation>代理拒绝了连接</translation>
    </message>
    <message>
        <source>The rectangle is empty.</source>
        <translation>矩形为空。</translation>
    </message>
    <message>
        <source>The resolution at which to fetch {layer} is not known.</source>
        <translation>不知道应以何种分辨率获取 {layer}。</translation>
    </message>
    <message>
        <source>The result {source} could not be loaded.</source>
        <translation>无法加载结果 {source}。</translation>
    </message>
    <message>
        <source>The run failed; the log says more.</source>
        <translation>运行失败；详情见日志。</translation>
    </message>
    <message>
        <source>The service reported: {error}</source>
        <translation>服务报告：{error}</translation>
    </message>
    <message>
        <source>The set-up was cancelled; nothing was changed.</source>
        <translation>安装已取消；未作任何更改。</translation>
    </message>
    <message>
        <source>The system ended the engine, most often because memory ran out.</source>
        <translation>引擎被系统终止，多半是因为内存耗尽。</translation>
    </message>
    <message>
        <source>The table {path} could not be written: {reason}.</source>
        <translation>无法写入表格 {path}：{reason}。</translation>
    </message>
    <message>
        <source>The task was cancelled.</source>
        <translation>任务已取消。</translation>
    </message>
    <message>
        <source>The temporary image {path} could not be written: {reason}.</source>
        <translation>无法写入临时影像 {path}：{reason}。</translation>
    </message>
    <message>
        <source>The vectors of {name} cannot be read.</source>
        <translation>无法读取 {name} 的矢量。</translation>
    </message>
    <message>
        <source>There are no images: choose layers or a folder.</source>
        <translation>没有影像：请选择图层或文件夹。</translation>
    </message>
    <message>
        <source>There are no wheels (.whl) in {folder}.</source>
        <translation>{folder} 中没有 wheel 文件（.whl）。</translation>
    </message>
    <message>
        <source>There is a model {name} already; choose another name.</source>
        <translation>已有名为 {name} 的模型；请换一个名称。</translation>
    </message>
    <message>
        <source>There is no image in the project.</source>
        <translation>工程中没有影像。</translation>
    </message>
    <message>
        <source>There is no log of a set-up yet.</source>
        <translation>还没有安装日志。</translation>
    </message>
    <message>
        <source>There is no model for this task yet. Add one in Settings &gt; Options &gt; TerraSpore.</source>
        <translation>还没有用于此任务的模型。请在“设置 &gt; 选项 &gt; TerraSpore”中添加。</translation>
    </message>
    <message>
        <source>There is no polygon layer in the project.</source>
        <translation>项目中没有多边形图层。</translation>
    </message>
    <message>
        <source>There is no polygon that limits the area.</source>
        <translation>没有限定范围的多边形。</translation>
    </message>
    <message>
        <source>There is no raster layer in the project.</source>
        <translation>项目中没有栅格图层。</translation>
    </message>
    <message>
        <source>Threads</source>
        <translation>线程数</translation>
    </message>
    <message>
        <source>Threshold</source>
        <translation>阈值</translation>
    </message>
    <message>
        <source>Threshold on probability</source>
        <translation>概率阈值</translation>
    </message>
    <message>
        <source>Tile in pixels</source>
        <translation>瓦片边长（像素）</translation>
    </message>
    <message>
        <source>Training Chips from Raster and Vectors</source>
        <translation>由栅格和矢量生成训练样本</translation>
    </message>
    <message>
        <source>Training chips…</source>
        <translation>训练样本…</translation>
    </message>
    <message>
        <source>Two rasters are masks of roads: probability of a road pixel</source>
        <translation>两个栅格为道路掩膜：道路像素的概率</translation>
    </message>
    <message>
        <source>Use shorter paths and fewer parameters.</source>
        <translation>请使用更短的路径和更少的参数。</translation>
    </message>
    <message>
        <source>Value without data</source>
        <translation>无数据值</translation>
    </message>
    <message>
        <source>Vectors</source>
        <translation>矢量</translation>
    </message>
    <message>
        <source>Visible part of the map</source>
        <translation>地图可见部分</translation>
    </message>
    <message>
        <source>Wait until that has ended, and try again.</source>
        <translation>请等待其结束，然后重试。</translation>
    </message>
    <message>
        <source>Warnings</source>
        <translation>警告</translation>
    </message>
    <message>
        <source>What the raster shows</source>
        <translation>栅格内容</translation>
    </message>
    <message>
        <source>What to extract</source>
        <translation>提取内容</translation>
    </message>
    <message>
        <source>Whole layer</source>
        <translation>整个图层</translation>
    </message>
    <message>
        <source>Widest road</source>
        <translation>道路的最大宽度</translation>
    </message>
    <message>
        <source>Width of lines in m (empty: the engine's)</source>
        <translation>线宽（米；留空：引擎默认）</translation>
    </message>
    <message>
        <source>Windows cannot replace {file} while the layer {layer} shows it. Remove the layer from the project, or choose another file.</source>
        <translation>图层 {layer} 正在显示 {file}，Windows 此时无法替换该文件。请从工程中移除该图层，或选择其他文件。</translation>
    </message>
    <message>
        <source>With the same settings it can go on from there.</source>
        <translation>使用相同的设置可以从中断处继续。</translation>
    </message>
    <message>
        <source>Writing</source>
        <translation>正在写入</translation>
    </message>
    <message>
        <source>Zoom to</source>
        <translation>缩放至</translation>
    </message>
    <message>
        <source>about {n} min</source>
        <translation>约 {n} 分钟</translation>
    </message>
    <message>
        <source>about {n} s</source>
        <translation>约 {n} 秒</translation>
    </message>
    <message>
        <source>accuracy,evaluation,validation,quality,completeness,correctness,APLS,IoU,confusion matrix,ground truth</source>
        <translation>精度,评估,验证,质量,完整率,正确率,APLS,IoU,混淆矩阵,真值</translation>
    </message>
    <message>
        <source>all classes</source>
        <translation>所有类别</translation>
    </message>
    <message>
        <source>all cores</source>
        <translation>所有核</translation>
    </message>
    <message>
        <source>automatic: {model}</source>
        <translation>自动：{model}</translation>
    </message>
    <message>
        <source>batch,folder,many,separate,roads,land cover,deep learning</source>
        <translation>批处理,文件夹,多幅,分别,道路,土地覆盖,深度学习</translation>
    </message>
    <message>
        <source>classes are compared</source>
        <translation>比较类别</translation>
    </message>
    <message>
        <source>classes called building, house or roof</source>
        <translation>名为建筑、房屋或屋顶的类别</translation>
    </message>
    <message>
        <source>closed gap of {m} m</source>
        <translation>连接了 {m} 米的间隙</translation>
    </message>
    <message>
        <source>dead end of {m} m</source>
        <translation>{m} 米的断头路</translation>
    </message>
    <message>
        <source>decided by the raster</source>
        <translation>由栅格决定</translation>
    </message>
    <message>
        <source>default</source>
        <translation>默认</translation>
    </message>
    <message>
        <source>end at once</source>
        <translation>立即结束</translation>
    </message>
    <message>
        <source>ends {m} m before another road</source>
        <translation>在距另一条道路 {m} 米处终止</translation>
    </message>
    <message>
        <source>for example {value}</source>
        <translation>例如 {value}</translation>
    </message>
    <message>
        <source>found automatically</source>
        <translation>自动查找</translation>
    </message>
    <message>
        <source>four pixels</source>
        <translation>四个像元</translation>
    </message>
    <message>
        <source>half a pixel</source>
        <translation>半个像元</translation>
    </message>
    <message>
        <source>it does not start as a Python</source>
        <translation>它不能作为 Python 启动</translation>
    </message>
    <message>
        <source>it has no venv (on Debian and Ubuntu: sudo apt install python3-venv)</source>
        <translation>它没有 venv（Debian 和 Ubuntu：sudo apt install python3-venv）</translation>
    </message>
    <message>
        <source>it is Python {version}; needed is {wanted}</source>
        <translation>它是 Python {version}；需要 {wanted}</translation>
    </message>
    <message>
        <source>it is a 32-bit Python</source>
        <translation>它是 32 位的 Python</translation>
    </message>
    <message>
        <source>it is a Python for ARM64, for which pyogrio, OpenCV and OpenVINO have no packages on Windows; install the 64-bit (x64) Python of python.org, which runs on ARM64 as well</source>
        <translation>它是 ARM64 版 Python，而 pyogrio、OpenCV 和 OpenVINO 在 Windows 上没有对应的安装包；请安装 python.org 的 64 位（x64）Python，它也能在 ARM64 上运行</translation>
    </message>
    <message>
        <source>it uses the packages of {folder}</source>
        <translation>它使用 {folder} 的软件包</translation>
    </message>
    <message>
        <source>its module ssl cannot be loaded, so that nothing can be downloaded</source>
        <translation>它的 ssl 模块无法加载，因此无法下载任何内容</translation>
    </message>
    <message>
        <source>land cover,land use,classification,coverage,deep learning,segmentation,satellite,aerial</source>
        <translation>土地覆盖,土地利用,分类,覆盖,深度学习,分割,卫星,航空</translation>
    </message>
    <message>
        <source>mean probability {value}</source>
        <translation>平均概率 {value}</translation>
    </message>
    <message>
        <source>no limit</source>
        <translation>不限制</translation>
    </message>
    <message>
        <source>none yet</source>
        <translation>尚无</translation>
    </message>
    <message>
        <source>not drawn yet</source>
        <translation>尚未绘制</translation>
    </message>
    <message>
        <source>one for each core</source>
        <translation>每核一个</translation>
    </message>
    <message>
        <source>rasterio has no packages for it on Macs with Intel processors; take {newest} or older</source>
        <translation>在使用 Intel 处理器的 Mac 上，rasterio 没有适用于它的安装包；请使用 {newest} 或更早的版本</translation>
    </message>
    <message>
        <source>road,street,network,centerline,centreline,deep learning,segmentation,satellite,aerial</source>
        <translation>道路,街道,路网,中心线,深度学习,分割,卫星,航空</translation>
    </message>
    <message>
        <source>roads, landcover or classes</source>
        <translation>roads、landcover 或 classes</translation>
    </message>
    <message>
        <source>segmentation,deep learning,onnx,mindir,checkpoint,custom model,classification</source>
        <translation>分割,深度学习,onnx,mindir,检查点,自定义模型,分类</translation>
    </message>
    <message>
        <source>temporary layer</source>
        <translation>临时图层</translation>
    </message>
    <message>
        <source>the disk may be full</source>
        <translation>磁盘可能已满</translation>
    </message>
    <message>
        <source>the first</source>
        <translation>第一个</translation>
    </message>
    <message>
        <source>the first with polygons</source>
        <translation>第一个含多边形的图层</translation>
    </message>
    <message>
        <source>the image's own</source>
        <translation>影像自带的值</translation>
    </message>
    <message>
        <source>the machine's</source>
        <translation>本机的</translation>
    </message>
    <message>
        <source>the model's</source>
        <translation>模型的</translation>
    </message>
    <message>
        <source>the plugin's own environment</source>
        <translation>插件自己的环境</translation>
    </message>
    <message>
        <source>the raster's own</source>
        <translation>栅格自身的</translation>
    </message>
    <message>
        <source>the task's default</source>
        <translation>任务的默认模型</translation>
    </message>
    <message>
        <source>the whole image</source>
        <translation>整幅影像</translation>
    </message>
    <message>
        <source>this process</source>
        <translation>本进程</translation>
    </message>
    <message>
        <source>those of the layer's style</source>
        <translation>图层样式所用的</translation>
    </message>
    <message>
        <source>threshold + (1 - threshold) / 4</source>
        <translation>阈值 + (1 - 阈值) / 4</translation>
    </message>
    <message>
        <source>training,chips,tiles,labels,dataset,masks,deep learning</source>
        <translation>训练,样本,瓦片,标注,数据集,掩膜,深度学习</translation>
    </message>
    <message>
        <source>vectorize,polygonize,threshold,simplify,probability,mask,roads,land cover</source>
        <translation>矢量化,面化,阈值,简化,概率,掩膜,道路,土地覆盖</translation>
    </message>
    <message>
        <source>visual, or the only image</source>
        <translation>visual，或唯一的影像</translation>
    </message>
    <message>
        <source>{done} of {count} doubtful places are reviewed.</source>
        <translation>已检查 {count} 处可疑位置中的 {done} 处。</translation>
    </message>
    <message>
        <source>{layer} is not a file.</source>
        <translation>{layer} 不是文件。</translation>
    </message>
    <message>
        <source>{layer} is not a raster file.</source>
        <translation>{layer} 不是栅格文件。</translation>
    </message>
    <message>
        <source>{layer} is not a raster file; save it as one first.</source>
        <translation>{layer} 不是栅格文件；请先另存为文件。</translation>
    </message>
    <message>
        <source>{lowest} to {highest}</source>
        <translation>{lowest} 至 {highest}</translation>
    </message>
    <message>
        <source>{model} ({resolution} m) fits the image, which has {pixel} m per pixel. Others: {others}.</source>
        <translation>{model}（{resolution} 米）适合该影像（每像素 {pixel} 米）。其他模型：{others}。</translation>
    </message>
    <message>
        <source>{model} on {device} with {runtime}: {reason}</source>
        <translation>{model}，设备 {device}，运行时 {runtime}：{reason}</translation>
    </message>
    <message>
        <source>{name} must be at least {limit}.</source>
        <translation>{name} 至少应为 {limit}。</translation>
    </message>
    <message>
        <source>{n} of {m} tiles came empty.</source>
        <translation>{m} 个瓦片中有 {n} 个为空。</translation>
    </message>
    <message>
        <source>{n} rules were added to the project. The panel Topology Checker (menu Vector) validates them.</source>
        <translation>已向工程添加 {n} 条规则。拓扑检查器面板（“矢量”菜单）可进行验证。</translation>
    </message>
    <message>
        <source>{n} tiles were fetched.</source>
        <translation>已获取 {n} 个瓦片。</translation>
    </message>
    <message>
        <source>{path} cannot be unpacked: {reason}.</source>
        <translation>无法解压 {path}：{reason}。</translation>
    </message>
    <message>
        <source>{path} holds {count} models; a packed model has one {card}.</source>
        <translation>{path} 含有 {count} 个模型；打包的模型应只有一个 {card}。</translation>
    </message>
    <message>
        <source>{path} is larger than any model that can be used.</source>
        <translation>{path} 超过了可用模型的最大大小。</translation>
    </message>
    <message>
        <source>{percent} % are finished and kept; start it again to continue from there.</source>
        <translation>已完成并保留 {percent} %；再次启动即可从中断处继续。</translation>
    </message>
    <message>
        <source>{size} MB in use</source>
        <translation>已用 {size} MB</translation>
    </message>
    <message>
        <source>{step} failed: {reason}.</source>
        <translation>{step} 失败：{reason}。</translation>
    </message>
    <message>
        <source>{step}: not possible here; everything works without it, but more slowly.</source>
        <translation>{step}：在此无法完成；没有它一切仍可运行，但较慢。</translation>
    </message>
    <message>
        <source>{tiles} tiles of {tile} pixels at {resolution} m, about {memory} MB of memory</source>
        <translation>{tiles} 个 {tile} 像素的瓦片，分辨率 {resolution} 米，约需 {memory} MB 内存</translation>
    </message>
    <message>
        <source>{time} left</source>
        <translation>剩余{time}</translation>
    </message>
    <message>
        <source>{title} – {task}, {resolution} m, {bands} bands</source>
        <translation>{title} – {task}，{resolution} 米，{bands} 个波段</translation>
    </message>
    <message>
        <source>{title}, empty: {default}</source>
        <translation>{title}，留空：{default}</translation>
    </message>
    <message>
        <source>{width} × {height} pixels at {resolution} m; tiles: about {tiles}.</source>
        <translation>{width} × {height} 像素，分辨率 {resolution} 米；瓦片数约 {tiles}。</translation>
    </message>
</context>
</TS>
