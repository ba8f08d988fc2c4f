"""Model packs (模型包): their archive, their repository by TUF, who signs and who fetches."""
