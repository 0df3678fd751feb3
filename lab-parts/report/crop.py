import sys
from PIL import Image
src,pre,step=sys.argv[1],sys.argv[2],int(sys.argv[3])
im=Image.open(src); print(im.size)
for i,y in enumerate(range(0,im.size[1],step)): im.crop((0,y,im.size[0],min(y+step,im.size[1]))).save(f'{pre}{i:02}.png')
